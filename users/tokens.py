"""Tokens of the API: short access tokens, and refresh tokens of which each is used once."""

import logging
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import datetime_from_epoch, get_md5_hash_password

from users.models import RefreshSession, User

logger = logging.getLogger(__name__)

#: The claim with the id of the session.
SESSION = "session"
INVALID = "Token is invalid, used or ended. Log in again."


class KeyRing(TokenBackend):
    """Signs with the first key, accepts tokens of all keys, and knows one algorithm."""

    def __init__(self, *keys: str) -> None:
        super().__init__("HS256", keys[0], leeway=api_settings.LEEWAY)
        self.former = [TokenBackend("HS256", key, leeway=api_settings.LEEWAY) for key in keys[1:]]

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            return super().decode(token, verify)
        except TokenBackendError:
            for backend in self.former:
                with suppress(TokenBackendError):
                    return backend.decode(token, verify)
            raise


key_ring = KeyRing(*settings.TOKEN_KEYS)


class AccessToken(tokens.AccessToken):
    _token_backend = key_ring


class RefreshToken(tokens.RefreshToken):
    _token_backend = key_ring
    access_token_class = AccessToken
    no_copy_claims = (*tokens.RefreshToken.no_copy_claims, SESSION)  # type: ignore[assignment]  # longer


def open_session(user: User) -> RefreshToken:
    """Return the first refresh token of a new session."""
    token = cast("RefreshToken", RefreshToken.for_user(user))
    RefreshSession.remove_expired()
    session = RefreshSession.objects.create(user=user, jti=token["jti"], expires_at=datetime_from_epoch(token["exp"]))
    token[SESSION] = str(session.pk)
    return token


def renew(text: str) -> RefreshToken:
    """Return the next refresh token of a session. This one is used up, and a session ends when one is used again.

    Two processes cannot both renew one token, because the row changes for the first one only.

    Raises:
        TokenError: the token is not valid, or was used; or its session, its account or its password is no longer.
    """
    token = read(text)
    session = sessions_of(token).select_related("user").filter(ended_at=None).first()
    if session is None:
        raise TokenError(INVALID)
    user = session.user
    if not user.may_log_in or token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        session.end(RefreshSession.Reason.ACCOUNT)
        raise TokenError(INVALID)
    renewed = cast("RefreshToken", RefreshToken.for_user(user))
    renewed["exp"], renewed[SESSION] = token["exp"], token[SESSION]
    present = RefreshSession.objects.filter(
        pk=session.pk, jti=token["jti"], ended_at=None, expires_at__gt=timezone.now()
    )
    if not present.update(jti=renewed["jti"]):
        session.end(RefreshSession.Reason.REUSED)
        logger.warning("a used refresh token was presented again, so its session is ended")
        raise TokenError(INVALID)
    return renewed


def end_session(text: str) -> None:
    """End the session of a refresh token, whether or not the token is used up. Without a session, do nothing."""
    with suppress(TokenError):
        for session in sessions_of(read(text)):
            session.end(RefreshSession.Reason.LOGGED_OUT)


def read(text: str) -> RefreshToken:
    """Return a refresh token whose signature and expiry are right.

    Raises:
        TokenError: they are not.
    """
    return RefreshToken(text)  # type: ignore[arg-type]  # simplejwt takes text, whatever its types say


def sessions_of(token: RefreshToken) -> QuerySet[RefreshSession]:
    """Return the session of a token; none for those of older releases."""
    try:
        return RefreshSession.objects.filter(pk=UUID(str(token.get(SESSION))))
    except ValueError:
        return RefreshSession.objects.none()
