"""Who is asking, and what they may do."""

from typing import Any
from uuid import UUID

from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication


def user_id(request: Request) -> UUID:
    """The id of the user who is logged in.

    Raises:
        NotAuthenticated: nobody is.
    """
    if request.user.pk is None:
        raise NotAuthenticated
    return request.user.pk


class Token(JWTAuthentication):
    """The bearer token. Where anyone may look, one that is no good keeps nobody from looking."""

    def authenticate(self, request: Request) -> Any:
        """Who is asking; nobody in particular where that does not matter."""
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            if any(isinstance(permission, AllowAny) for permission in request.parser_context["view"].get_permissions()):
                return None
            raise


class StaffWith(IsAdminUser):
    """Members of staff with one of the permissions that are given in admin."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether whoever is asking is one of them."""
        return super().has_permission(request, view) and request.user.has_perm(self.permission)
