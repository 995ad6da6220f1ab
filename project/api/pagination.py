"""Cursor pages: every page costs the same, however many rows come before it."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class CursorPages(CursorPagination):
    """Newest first: keys are UUIDv7 or serial numbers, which grow with time."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

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
