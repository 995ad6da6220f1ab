"""What a request to the admin may ask for: what its page offers, of as many rows as a page shows."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, ChangeList
from django.core.exceptions import BadRequest, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from .theme import ModelAdmin

#: PostgreSQL refuses texts that contain it.
NUL = "\0"


class BoundedChangeList(ChangeList):
    """A list that can be sorted only by the columns whose headings offer it."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None


class BoundedAdmin(ModelAdmin):
    """Refuses look-ups that no page offers, and actions on more rows than `max_action_rows`.

    Django's own admin accepts any look-up on any field of the table: a regular expression that takes a minute, or the
    beginning of a password hash. It also runs an action on a whole table where its page offers a few rows.
    """

    #: Look-ups in the links of other pages, such as "stock__id__exact", besides those of `list_filter`.
    link_lookups: tuple[str, ...] = ()
    #: As many rows as one page of the list shows.
    max_action_rows: int = 50

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return NUL not in value and lookup in self._offered_lookups(request)

    def _offered_lookups(self, request: Any) -> Iterator[str]:
        yield from self.link_lookups
        if self.date_hierarchy:
            yield from (f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day"))
        for item in self.get_list_filter(request):
            if isinstance(item, type) and issubclass(item, admin.SimpleListFilter):
                yield str(item.parameter_name)
            else:
                yield from self._lookups_of_field(item if isinstance(item, str) else item[0])

    def _lookups_of_field(self, path: str) -> Iterator[str]:
        """The look-ups that the filters of Django use for a field."""
        field: Any = get_fields_from_path(self.model, path)[-1]
        key = f"__{field.target_field.name}" if field.is_relation else ""
        yield from (f"{path}{key}__exact", f"{path}__isnull")
        if isinstance(field, models.DateField):
            yield from (f"{path}__gte", f"{path}__lt")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list. A refused look-up leads to the whole list, as one with a wrong value does.

        Raises:
            BadRequest: it does not, because the request comes from there. Django would blame the database.
        """
        try:
            return super().get_changelist_instance(request)
        except (DisallowedModelAdminLookup, IncorrectLookupParameters) as refusal:
            if ERROR_FLAG in request.GET:
                raise BadRequest("There is no such page or filter.") from refusal
            raise IncorrectLookupParameters from refusal

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return None if NUL in object_id else super().get_object(request, object_id, from_field)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], **where: Any) -> HttpResponse | None:
        """Run an action unless more rows are selected than it may change, or something that is no row.

        Args:
            where: from Django 6.1 on, the kind of the page, `action_location`.
        """
        selected = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
        if request.POST.get("select_across", "0").lower() not in ("", "0", "false"):
            # Exactly the rows that are counted here: others may come meanwhile.
            selected = set(queryset.order_by().values_list("pk", flat=True)[: self.max_action_rows + 1])
            number = self.get_paginator(request, queryset, self.list_per_page).count
            queryset = queryset.filter(pk__in=selected)
        else:
            number = len(selected)
        if len(selected) > self.max_action_rows:
            self.message_user(
                request,
                f"{number:,} {self.opts.verbose_name_plural} are selected, and nothing was changed: one action changes "
                f"at most {self.max_action_rows}. Select fewer, or narrow the list by a filter.",
                messages.ERROR,
            )
            return HttpResponseRedirect(request.get_full_path())
        if not all(map(self._is_key, selected)):
            self.message_user(request, "Nothing was changed: one of the selected rows is unknown.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        answer: HttpResponse | None = super().response_action(request, queryset, **where)
        return answer

    def _is_key(self, text: Any) -> bool:
        try:
            key = self.opts.pk.to_python(text)
            self.opts.pk.run_validators(key)
        except ValidationError:
            return False
        # SQLite fails on longer numbers.
        return NUL not in str(text) and not (isinstance(key, int) and abs(key) >= 2**63)
