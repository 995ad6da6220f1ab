"""Who may log in."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from users.models import User


def may_log_in(user: User | None) -> bool:
    """Whether an account may log in, refresh its token, or go on with its session in the admin."""
    if user is None or not user.is_active:
        return False
    return not settings.CONFIRM_EMAIL or user.email_confirmed_at is not None


class ConfirmedBackend(ModelBackend):
    """Logs accounts in by address and password; with CONFIRM_EMAIL, only those whose address is confirmed."""

    def user_can_authenticate(self, user: Any) -> bool:
        return may_log_in(user)
