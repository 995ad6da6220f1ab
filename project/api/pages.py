"""Cursor pages: a page costs the same however deep it lies and however many rows there are."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class Pages(CursorPagination):
    """Newest first: keys are UUIDv7 or serial numbers, which grow with time."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        """How many results the client wants, refused when it is no sensible number."""
        wanted = request.query_params.get("page_size", str(self.page_size))
        if wanted.isascii() and wanted.isdigit() and len(wanted) <= 3 and 1 <= int(wanted) <= self.max_page_size:
            return int(wanted)
        raise ValidationError(
            {"page_size": f"Must be a whole number from 1 to {self.max_page_size}."}, code="invalid_page_size"
        )

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        """One page, or a clear answer to a cursor that was not made here."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, DjangoValidationError, ValueError) as error:  # as a UUID or a number reads a position
            detail = "Not a cursor of this list. Follow the links `next` and `previous` of a page as they are."
            raise ValidationError({"cursor": detail}, code="invalid_cursor") from error
