"""Filters of lists: what is asked for is what was meant. No parameter is ignored in silence."""

from typing import Any

from django import forms
from django_filters import ChoiceFilter, FilterSet, UUIDFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from project.api.serializers import LONGEST_NAME, MOST_UNKNOWN_FIELDS

#: What every list understands: see pages.
PAGING = ("cursor", "page_size")


class Filters(FilterSet):
    """Declared one by one in each service, and only over columns with an index."""


def one_of(choices: type[Any] | list[tuple[str, str]], **options: Any) -> ChoiceFilter:
    """A filter for one of a few values; what is none of them is told which there are."""
    pairs = choices if isinstance(choices, list) else list(choices.choices)
    detail = f"Must be one of: {', '.join(value for value, _ in pairs)}."
    return ChoiceFilter(choices=pairs, error_messages={"invalid_choice": detail}, **options)


def id_of(field_name: str, **options: Any) -> UUIDFilter:
    """A filter for a UUID."""
    detail = "Must be a UUID, as in 01a20a8f-e25a-7378-9573-5974eee2bbea."
    return UUIDFilter(field_name=field_name, error_messages={"invalid": detail}, **options)


class FilterBackend(DjangoFilterBackend):
    """Refuses parameters that a list does not know, that are empty, or that are given twice."""

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        """The rows that are asked for."""
        filterset = self.get_filterset(request, queryset, view)
        known = [*(filterset.filters if filterset is not None else ()), *PAGING]
        errors: dict[str, Any] = {}
        for name, values in request.query_params.lists():
            if name not in known:
                detail, code = f"There is no such parameter. Parameters: {', '.join(known)}.", "unknown_parameter"
            elif len(values) > 1:
                detail, code = "Given more than once. Give it once.", "repeated_parameter"
            elif not values[0] and name not in PAGING:
                detail, code = "Has no value. Give it one, or leave it out.", "empty_parameter"
            else:
                continue
            errors[name[:LONGEST_NAME]] = [ErrorDetail(detail, code)]
            if len(errors) == MOST_UNKNOWN_FIELDS:
                break
        if filterset is not None and not filterset.is_valid():
            errors = {**translated(filterset.form), **errors}
        if errors:
            raise ValidationError(errors)
        return queryset if filterset is None else filterset.qs


def translated(form: forms.Form) -> dict[str, list[ErrorDetail]]:
    """A form's errors in the terms of the REST framework."""
    return {
        name: [ErrorDetail(" ".join(error.messages), error.code or "invalid") for error in errors]
        for name, errors in form.errors.as_data().items()
    }
