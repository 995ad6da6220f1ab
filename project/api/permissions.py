"""Permissions: the REST API asks for those of Django, as the admin does. A staff flag alone allows nothing."""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView


def is_permitted(request: Request, permission: str) -> bool:
    """Tell whether the user is an active member of staff with the permission: the rule of the admin, too."""
    return bool(request.user.is_staff and request.user.has_perm(permission))


class StaffWithPermission(BasePermission):
    """Allows members of staff with one permission."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_permitted(request, self.permission)


class Permitted(APIView):
    """A view for staff with the permission of its method. A method without one is refused by its name."""

    #: By method, such as {"GET": "orders.view_order"}.
    permissions: Mapping[str, str]

    def get_permissions(self) -> list[BasePermission]:
        method = "GET" if self.request.method in SAFE_METHODS else self.request.method
        permission = self.permissions.get(method or "")
        return [StaffWithPermission(permission) if permission else IsAuthenticated()]
