"""Confirming that an address belongs to the owner of its account, by a link in a mail."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from uuid_utils.compat import uuid7

from project.bus import publish
from project.errors import FieldError, InvalidInput
from project.events import ConfirmationRequested
from users.models import User

#: For how long a link can be used.
LINK_LIFETIME = timedelta(days=3)
#: Of its own, so that no other signed value is a token, and no token anything else.
SALT = "users.confirmation"
ADDRESS_SALT = "users.confirmation.address"


class InvalidToken(InvalidInput):
    """The link is not ours, is too old, or is for an address that the account no longer has."""


def confirmation_link(user: User) -> str:
    """Return the link by which the owner of an address confirms it."""
    path = reverse("confirm-address", args=[confirmation_token(user)])
    return f"{settings.SITE_URL}{path}"


def confirmation_token(user: User) -> str:
    """Return a signed token for an account and its present address, of which it has only a digest."""
    return signing.dumps({"id": str(user.pk), "address": _digest(user.email, key=settings.SECRET_KEY)}, salt=SALT)


def confirm_address(*, token: str) -> User:
    """Confirm the address that a token was sent to. Repeating it changes nothing.

    Raises:
        InvalidToken: nothing was changed.
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
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=UUID(content["id"])).first()
        # An older key still opens what it signed.
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        if user is None or not any(
            constant_time_compare(content["address"], _digest(user.email, key=key)) for key in keys
        ):
            raise invalid
        if user.email_confirmed_at is None:
            user.email_confirmed_at = timezone.now()
            user.save(update_fields=["email_confirmed_at"])
    return user


def request_confirmation(*, email: str) -> None:
    """Have the link sent again, if the address has an account and is not confirmed.

    It does the same work for an address without an account, so that neither the answer nor its time tells them apart.
    """
    user_id = User.objects.filter(email=email).values_list("pk", flat=True).first()
    with transaction.atomic():
        publish(ConfirmationRequested(user_id=user_id or uuid7()))


def mark_confirmed(user: User) -> bool:
    """Confirm the address of an account on behalf of its owner. Return whether it was not confirmed before."""
    unconfirmed = User.objects.filter(pk=user.pk, email=user.email, email_confirmed_at=None)
    return bool(unconfirmed.update(email_confirmed_at=timezone.now()))


def _digest(email: str, *, key: str | bytes) -> str:
    return salted_hmac(ADDRESS_SALT, email, secret=key, algorithm="sha256").hexdigest()[:32]
