"""Cursor pages: every page costs the same, however many rows come before it."""

import re
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from project.api.request_limits import MAX_URL_LENGTH

MAX_CURSOR_LENGTH = 200
#: In base64, or empty for the first page.
CURSOR = r"^[A-Za-z0-9+/=_-]*$"


class CursorPages(CursorPagination):
    """Newest first: keys are UUIDv7 or serial numbers, which grow with time."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        link = {"type": "string", "format": "uri", "nullable": True, "maxLength": 2 * MAX_URL_LENGTH}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "example": "http://127.0.0.1:8000/api/v1/products/?cursor=cD00ODY%3D"},
                "previous": {**link, "example": "http://127.0.0.1:8000/api/v1/products/?cursor=cj0xJnA9NDg3"},
                "results": {**schema, "maxItems": self.max_page_size},
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe the parameters, with their bounds."""
        cursor, page_size = super().get_schema_operation_parameters(view)
        cursor["schema"] |= {"maxLength": MAX_CURSOR_LENGTH, "pattern": CURSOR}
        page_size["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [cursor, page_size]

    def decode_cursor(self, request: Request) -> Any:
        """Refuse what cannot be a cursor.

        Raises:
            NotFound: it has other characters than a cursor, or too many.
        """
        text = request.query_params.get(self.cursor_query_param, "")
        if len(text) > MAX_CURSOR_LENGTH or not re.fullmatch(CURSOR, text):
            raise NotFound
        return super().decode_cursor(request)

    def get_page_size(self, request: Request) -> int:
        """Refuse a page size that is not from 1 to the maximum."""
        wanted = request.query_params.get("page_size", str(self.page_size))
        if wanted.isascii() and wanted.isdigit() and len(wanted) <= 3 and 1 <= int(wanted) <= self.max_page_size:
            return int(wanted)
        raise ValidationError(
            {"page_size": f"Must be a whole number from 1 to {self.max_page_size}."}, code="invalid_page_size"
        )

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        """Answer 400 to an invalid cursor."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, DjangoValidationError, ValueError) as error:  # a UUID or a number refuses the position
            detail = "Not a cursor of this list. Use the links `next` and `previous` of a page unchanged."
            raise ValidationError({"cursor": detail}, code="invalid_cursor") from error
