"""Filters of lists, which refuse unknown parameters instead of ignoring them."""

from typing import Any

from django import forms
from django_filters import ChoiceFilter, FilterSet, UUIDFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from project.api.serializers import MAX_NAME_LENGTH, MAX_UNKNOWN_NAMES

#: The parameters of every list; see pagination.
PAGING = ("cursor", "page_size")


class StrictFilterSet(FilterSet):
    """Base of the services' filters. Filter only by columns with an index."""


def choice_filter(choices: type[Any] | list[tuple[str, str]], **options: Any) -> ChoiceFilter:
    """Filter by one of a few values. The error for any other value lists them."""
    pairs = choices if isinstance(choices, list) else list(choices.choices)
    detail = f"Must be one of: {', '.join(value for value, _ in pairs)}."
    return ChoiceFilter(choices=pairs, error_messages={"invalid_choice": detail}, **options)


def uuid_filter(field_name: str, **options: Any) -> UUIDFilter:
    detail = "Must be a UUID, as in 01a20a8f-e25a-7378-9573-5974eee2bbea."
    return UUIDFilter(field_name=field_name, error_messages={"invalid": detail}, **options)


class FilterBackend(DjangoFilterBackend):
    """Refuses parameters that are unknown, empty or repeated."""

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        filterset = self.get_filterset(request, queryset, view)
        known = [*(filterset.filters if filterset is not None else ()), *PAGING]
        errors: dict[str, Any] = {}
        for name, values in request.query_params.lists():
            if name not in known:
                detail, code = f"Unknown parameter. Parameters: {', '.join(known)}.", "unknown_parameter"
            elif len(values) > 1:
                detail, code = "Given more than once. Give it once.", "repeated_parameter"
            elif not values[0].strip() and name not in PAGING:
                detail, code = "Has no value. Give it a value, or remove it.", "empty_parameter"
            else:
                continue
            errors[name[:MAX_NAME_LENGTH]] = [ErrorDetail(detail, code)]
            if len(errors) == MAX_UNKNOWN_NAMES:
                break
        if filterset is not None and not filterset.is_valid():
            errors = {**error_details(filterset.form), **errors}
        if errors:
            raise ValidationError(errors)
        return queryset if filterset is None else filterset.qs


def error_details(form: forms.Form) -> dict[str, list[ErrorDetail]]:
    """Convert a form's errors to those of the REST framework."""
    return {
        name: [ErrorDetail(" ".join(error.messages), error.code or "invalid") for error in errors]
        for name, errors in form.errors.as_data().items()
    }
