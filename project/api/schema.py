"""The OpenAPI description of views."""

from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from django.conf import settings
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny

from project.api.account_throttle import AccountThrottle
from project.api.permissions import StaffWithPermission
from project.api.problems import CONTENT_TYPE
from project.api.request_limits import MAX_URL_LENGTH
from project.api.schema_bounds import add_bounds, add_parameter_bounds

PROBLEMS = {
    HTTPStatus.BAD_REQUEST: (
        "The input is not valid, and nothing was changed; `errors` names each field. Or the request is malformed."
    ),
    HTTPStatus.UNAUTHORIZED: "The token is missing or not valid.",
    HTTPStatus.FORBIDDEN: "The account does not have the permission.",
    HTTPStatus.NOT_FOUND: "Nothing is here, or nothing that you may see.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path does not have the method; the header `Allow` lists those that it has.",
    HTTPStatus.NOT_ACCEPTABLE: "The header `Accept` excludes JSON.",
    HTTPStatus.LENGTH_REQUIRED: "The header `Content-Length` is missing.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body has more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"The URL has more than {MAX_URL_LENGTH} bytes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: (
        "This address or this account has used all that it may; `detail` says of what, and `Retry-After` has the "
        "seconds to wait."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The database took too long, or too many passwords are being checked. Nothing was changed; `Retry-After` has "
        "the seconds to wait."
    ),
}


class FieldProblemSerializer(serializers.Serializer[Any]):
    """An error in one field of the input, with its remedy."""

    field = serializers.CharField(max_length=200, help_text="Its path, such as lines[2].sku; `body` for the whole.")
    code = serializers.CharField(max_length=100, help_text="For programs: does not change when the text does.")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.RegexField(
        r"^urn:orderly:problem:[a-z0-9-]+$", max_length=100, help_text="urn:orderly:problem:..., for programs."
    )
    title = serializers.CharField(max_length=100)
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text="The error and its remedy.")
    instance = serializers.CharField(max_length=2 * MAX_URL_LENGTH, help_text="The path of the request.")
    errors = FieldProblemSerializer(many=True, required=False)  # type: ignore[assignment]


class Schema(AutoSchema):
    """Describes an operation by its method's docstring, who may call it, and its errors."""

    def get_summary(self) -> str:
        return self.docstring().split("\n", 1)[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]
        rest = self.docstring().partition("\n")[2].strip()
        return f"{rest}\n\nFor {self.audience()}.".strip()

    def docstring(self) -> str:
        return cleandoc(getattr(self.view, self.method.lower()).__doc__ or "")

    def audience(self) -> str:
        (permission,) = self.view.get_permissions()
        if isinstance(permission, StaffWithPermission):
            return f"staff with the permission `{permission.permission}`"
        return "anyone" if isinstance(permission, AllowAny) else "anyone who is logged in"

    def _map_serializer_field(self, field: Any, *args: Any, **kwargs: Any) -> Any:
        schema = super()._map_serializer_field(field, *args, **kwargs)  # type: ignore[no-untyped-call]
        return schema and add_bounds(schema, field)

    def _get_parameters(self) -> Any:
        parameters = super()._get_parameters()
        filters = getattr(getattr(self.view, "filterset_class", None), "base_filters", {})
        for parameter in parameters:
            shown = filters.get(parameter["name"])
            add_parameter_bounds(parameter, options=shown.extra if shown else {})
        return parameters

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        with_body, anyone = "requestBody" in operation, self.audience() == "anyone"
        statuses = {
            HTTPStatus.BAD_REQUEST: True,
            HTTPStatus.UNAUTHORIZED: not anyone,
            HTTPStatus.FORBIDDEN: "staff" in self.audience(),
            HTTPStatus.NOT_FOUND: "{" in self.path,
            HTTPStatus.METHOD_NOT_ALLOWED: True,
            HTTPStatus.NOT_ACCEPTABLE: True,
            HTTPStatus.LENGTH_REQUIRED: with_body,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: True,
            HTTPStatus.REQUEST_URI_TOO_LONG: True,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE: with_body,
            HTTPStatus.TOO_MANY_REQUESTS: any(
                self.method not in SAFE_METHODS or not isinstance(throttle, AccountThrottle)
                for throttle in self.view.get_throttles()
            ),
            HTTPStatus.SERVICE_UNAVAILABLE: True,
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

    target_class = "project.api.authentication.BearerToken"
