"""The one place where a password is checked, and counted: `django.contrib.auth.authenticate`, or `is_password_of`."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from project.api.addresses import client_address
from project.errors import TryLater
from users import attempts
from users.models import User


def may_log_in(user: User | None) -> bool:
    """Whether the REST framework may give a token to this account."""
    return user is not None and user.may_log_in


class CountedBackend(ModelBackend):
    """Checks e-mail and password, unless the account or the client's address is locked out.

    An unknown account counts like a known one, and takes as long.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the account.

        Raises:
            TooManyAttempts: the account or the address is locked out; the password was not checked.
            Busy: too many passwords are being checked.
        """
        email = kwargs.get(User.USERNAME_FIELD) if username is None else username
        if email is None or password is None:
            return None
        attempt = attempts.begin(email=email, address=client_address(request) if request else None)
        try:
            user = super().authenticate(request, username=email, password=password)
        except TryLater:
            attempt.was_not_checked()
            raise
        if user is None:
            attempt.failed()
            return None
        attempt.succeeded()
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(user.may_log_in)


class ConfirmingBackend(CountedBackend):
    """The same for those who confirm their address, and may log in only after that."""

    def user_can_authenticate(self, user: Any) -> bool:
        return isinstance(user, User)


def is_password_of(user: User, password: str, *, request: HttpRequest) -> bool:
    """Whether a password is that of an account, which need not be confirmed. It counts like a log-in.

    Raises:
        TooManyAttempts: the account or the address is locked out; the password was not checked.
        Busy: too many passwords are being checked.
    """
    return ConfirmingBackend().authenticate(request, username=user.email, password=password) == user
