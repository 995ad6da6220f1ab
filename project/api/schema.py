"""How the views are described in OpenAPI."""

from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAdminUser

from project.api.people import StaffWith
from project.api.problems import CONTENT_TYPE

PROBLEMS = {
    HTTPStatus.BAD_REQUEST: "The input was not accepted, and nothing was changed; `errors` names each field.",
    HTTPStatus.UNAUTHORIZED: "Without a valid token.",
    HTTPStatus.FORBIDDEN: "Not with this account.",
    HTTPStatus.NOT_FOUND: "Not there, or not for you to see.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many tries from this address; `Retry-After` says for how many seconds.",
}


class FieldProblemSerializer(serializers.Serializer[Any]):
    """What is wrong with one field of the input, and what to do about it."""

    field = serializers.CharField(help_text="Its path, such as lines[2].sku; `body` for the whole.")
    code = serializers.CharField(help_text="For programs: stays the same when the text is reworded.")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField(help_text="urn:orderly:problem:..., for programs.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong, and how to mend it.")
    instance = serializers.CharField(help_text="The path that was asked for.")
    errors = FieldProblemSerializer(many=True, required=False)  # type: ignore[assignment]


class Schema(AutoSchema):
    """Describes an operation by its method's docstring, and adds who may call it and how it can fail."""

    def get_summary(self) -> str:
        """The docstring's first line."""
        return self.docstring().split("\n", 1)[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]
        """The rest of the docstring, and who may."""
        rest = self.docstring().partition("\n")[2].strip()
        return f"{rest}\n\nFor {self.who()}.".strip()

    def docstring(self) -> str:
        """What the method says of itself."""
        return cleandoc(getattr(self.view, self.method.lower()).__doc__ or "")

    def who(self) -> str:
        """Who may call the operation."""
        (permission,) = self.view.get_permissions()
        if isinstance(permission, StaffWith):
            return f"staff with the permission `{permission.permission}`"
        if isinstance(permission, AllowAny):
            return "anyone"
        return "staff" if isinstance(permission, IsAdminUser) else "whoever is logged in"

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """The operation with the problem documents that it may answer."""
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        with_body, anyone = "requestBody" in operation, self.who() == "anyone"
        statuses = {
            HTTPStatus.BAD_REQUEST: with_body or any(p["in"] == "query" for p in operation.get("parameters", ())),
            HTTPStatus.UNAUTHORIZED: not anyone,
            HTTPStatus.FORBIDDEN: "staff" in self.who(),
            HTTPStatus.NOT_FOUND: "{" in self.path,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: with_body,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE: with_body,
            HTTPStatus.TOO_MANY_REQUESTS: bool(self.view.get_throttles()),
        }
        content = {CONTENT_TYPE: {"schema": self.resolve_serializer(ProblemSerializer, "response").ref}}
        for status, possible in statuses.items():
            if possible:
                operation["responses"].setdefault(str(status.value), {"description": PROBLEMS[status]})
        for status, response in operation["responses"].items():
            if int(status) >= HTTPStatus.BAD_REQUEST:
                response["content"] = content
        return operation


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """The bearer token."""

    target_class = "project.api.people.Token"
