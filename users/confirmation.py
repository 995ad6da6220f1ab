"""Confirming that an address belongs to the owner of its account, by a link in a mail and the account's password."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from uuid_utils.compat import uuid7

from project.audit.recording import record
from project.bus import publish
from project.errors import FieldError, InvalidInput
from project.events import AddressConfirmed, ConfirmationRequested
from users.login import is_password_of
from users.models import User

#: For how long a link can be used.
LINK_LIFETIME = timedelta(days=3)
#: Of its own, so that no other signed value is a token, and no token anything else.
SALT = "users.confirmation"
ADDRESS_SALT = "users.confirmation.address"


class InvalidToken(InvalidInput):
    """The link is not ours, is too old, or is for an address that the account no longer has."""


class WrongPassword(InvalidInput):
    """The password is not that of the account."""


class NoPassword(InvalidInput):
    """The account has no password, so its owner cannot prove that it is theirs."""


def confirmation_link(user: User) -> str:
    """Return the link by which the owner of an address confirms it."""
    path = reverse("confirm-address", args=[confirmation_token(user)])
    return f"{settings.SITE_URL}{path}"


def confirmation_token(user: User) -> str:
    """Return a signed token for an account and its present address, of which it has only a digest.

    It is part of a path, so access logs have it. Alone it confirms nothing: that takes the account's password, too.
    """
    return signing.dumps({"id": str(user.pk), "address": _digest(user.email, key=settings.SECRET_KEY)}, salt=SALT)


def confirm_address(*, token: str, password: str, request: HttpRequest) -> User:
    """Confirm the address that a token was sent to, with the password of its account. Repeating it changes nothing.

    Without the password, the owner of an address could confirm the account of a stranger who registered with it.

    Raises:
        InvalidToken: nothing was changed, as for all other errors.
        NoPassword: the account has none.
        WrongPassword: it counts as a failed log-in.
        TooManyAttempts: the account or the address is locked out; the password was not checked.
        Busy: too many passwords are being checked.
    """
    user = _account_of(token, among=User.objects.all())
    if not user.has_usable_password():
        detail = "This account has no password, so the link cannot confirm it. Ask the shop to do it."
        raise NoPassword(FieldError(field="password", code="no_password", detail=detail))
    if not is_password_of(user, password, request=request):
        detail = (
            "This is not the password of the account. Correct it. If you do not know it, or if somebody else "
            "registered with your address, ask the shop."
        )
        raise WrongPassword(FieldError(field="password", code="wrong", detail=detail))
    with transaction.atomic():
        # Again, because the address may have changed while the password was checked.
        user = _account_of(token, among=User.objects.select_for_update())
        if user.email_confirmed_at is None:
            user.email_confirmed_at = timezone.now()
            user.save(update_fields=["email_confirmed_at"])
            publish(AddressConfirmed(user_id=user.pk))
    return user


def _account_of(token: str, *, among: QuerySet[User]) -> User:
    """Return the account that a token is for.

    Raises:
        InvalidToken: the same for every cause.
    """
    invalid = InvalidToken(
        FieldError(
            field="token",
            code="invalid",
            detail="This link is not valid, or no longer. Ask for another: POST /api/v1/users/confirm/resend/.",
        )
    )
    try:
        content: Any = signing.loads(token, salt=SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise invalid from None
    user = among.filter(pk=UUID(content["id"])).first()
    # An older key still opens what it signed.
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if user is None or not any(constant_time_compare(content["address"], _digest(user.email, key=key)) for key in keys):
        raise invalid
    return user


def request_confirmation(*, email: str) -> None:
    """Have the link sent again, if the address has an account and is not confirmed.

    It does the same work for an address without an account, so that neither the answer nor its time tells them apart.
    """
    user_id = User.objects.filter(email=email).values_list("pk", flat=True).first()
    with transaction.atomic():
        publish(ConfirmationRequested(user_id=user_id or uuid7()))


@transaction.atomic
def mark_confirmed(user: User) -> bool:
    """Confirm the address of an account on behalf of its owner. Return whether it was not confirmed before."""
    unconfirmed = User.objects.filter(pk=user.pk, email=user.email, email_confirmed_at=None)
    if not unconfirmed.update(email_confirmed_at=timezone.now()):
        return False
    publish(AddressConfirmed(user_id=user.pk))
    record(user, {"email_confirmed_at": "confirmed by staff"})
    return True


def _digest(email: str, *, key: str | bytes) -> str:
    return salted_hmac(ADDRESS_SALT, email, secret=key, algorithm="sha256").hexdigest()[:32]
