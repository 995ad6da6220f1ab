"""Authentication and permissions."""

from typing import Any
from uuid import UUID

from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token


def user_id(request: Request) -> UUID:
    """Return the id of the user who is logged in.

    Raises:
        NotAuthenticated: no user is.
    """
    if request.user.pk is None:
        raise NotAuthenticated
    return request.user.pk


class BearerToken(JWTAuthentication):
    """Authenticates by a bearer token. On a public view, an invalid token is ignored."""

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            if any(isinstance(permission, AllowAny) for permission in request.parser_context["view"].get_permissions()):
                return None
            raise

    def get_user(self, validated_token: Token) -> Any:
        """Return the account of a token, unless it may not log in any more, such as with an unconfirmed new address.

        Raises:
            AuthenticationFailed: it may not, or the token is not of any account.
        """
        user = super().get_user(validated_token)
        if not api_settings.USER_AUTHENTICATION_RULE(user):
            detail = "This account cannot log in before its address is confirmed."
            raise AuthenticationFailed(detail, code="address_not_confirmed")
        return user
