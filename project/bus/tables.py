"""What the admin's tables are made of: pages that cost the same at a million rows, searches by index, links.

The bus's own tables need it, and the bus imports nothing of ours, so it is here; project/api/admin.py hands it on.
"""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import NotRelationField, get_fields_from_path, quote
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from unfold.admin import ModelAdmin

from .counts import estimated

#: No more rows than these are counted: of a whole table, and of what a search or a filter leaves of one.
COUNTED = 100_000
COUNTED_FILTERED = 10_000

NOTHING = "-"


class Pages(Paginator):  # type: ignore[type-arg]
    """Counts no more rows than a person wants to know of, and passes over rows by their keys alone."""

    object_list: QuerySet[Any]
    #: Where unfold looks for the line below a list.
    template_name = "bus/pages.html"

    @cached_property
    def count(self) -> int:
        """How many rows there are to page through."""
        return self.counted[0]

    @cached_property
    def counted(self) -> tuple[int, str]:
        """How many rows there are to page through, and how that is said."""
        rows = self.object_list
        bound = COUNTED_FILTERED if rows.query.where else COUNTED
        if not rows.query.where and (estimate := estimated(rows.model, using=rows.db)) > bound:
            return estimate, f"about {estimate:,}"
        count = rows.order_by().values("pk")[: bound + 1].count()
        return (bound, f"more than {bound:,}") if count > bound else (count, f"{count:,}")

    def page(self, number: int | str) -> "Page[Any]":
        """The rows of one page; after the first, found by their keys before.

        All that comes before the page is read too, and for keys an index is enough.
        """
        page = super().page(number)
        if page.number == 1:
            return page
        rows = cast("QuerySet[Any]", page.object_list)
        keys = list(rows.values_list("pk", flat=True))
        page.object_list = self.object_list.filter(pk__in=keys)
        return page


class Table(ModelAdmin):
    """A table that may grow to millions of rows: what a list offers has an index, so all of it stays cheap."""

    paginator = Pages
    list_per_page = 50
    list_disable_select_all = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # By its key or as `ordering` says: there is no index to sort by any column.
    sortable_by: tuple[str, ...] = ()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list. The page's head says nothing of results: the foot does, and knows how exactly."""
        changelist = super().get_changelist_instance(request)
        changelist.full_result_count = changelist.result_count
        if ERROR_FLAG in request.GET:  # where Django redirects to
            self.message_user(request, "There is no such page or filter, so this is all.", messages.WARNING)
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows that have the term in one of the search fields."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q()
        for name in self.search_fields:
            try:
                wanted |= self.search_condition(name, term)
            except ValidationError:
                continue  # no such id can be in that field
        if not wanted:
            self.message_user(
                request, f"{term!r} is not a whole id. Paste one from its first sign to its last.", messages.WARNING
            )
            return queryset.none(), False
        return queryset.filter(wanted), False

    def search_condition(self, name: str, term: str) -> Q:
        """The field is the term or, where its name ends in another lookup, stands so to it.

        Raises:
            ValidationError: the field cannot hold such a value.
        """
        try:
            field = get_fields_from_path(self.model, name)[-1]
        except NotRelationField:
            field = get_fields_from_path(self.model, name.rpartition("__")[0])[-1]
        return Q(**{name: field.to_python(term)})


class ReadOnly:
    """Everything can be seen, nothing added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody deletes."""
        return False


class ReadOnlyTable(ReadOnly, Table):
    """A table that only operations write."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One row. There is no history of changes made in admin, so no way to it either."""
        context = {"show_history": False, **(extra_context or {})}
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer


def link(page: str, key: object, text: object = None) -> str:
    """A link to the page of one row: `page` is an app and a model, as in "orders_order"; no key, no link.

    Only the text where that app is not installed: a service may run apart from the others.
    """
    if key in (None, ""):
        return NOTHING
    try:
        address = reverse(f"admin:{page}_change", args=[quote(str(key))])
    except NoReverseMatch:
        return str(text or key)
    return format_html('<a class="text-link" href="{}">{}</a>', address, text or key)


def list_link(page: str, text: object, **query: Any) -> str:
    """A link to the rows of a table that a query leaves, such as q=an id; only the text where it is not installed."""
    try:
        address = reverse(f"admin:{page}_changelist")
    except NoReverseMatch:
        return str(text)
    return format_html('<a class="text-link" href="{}?{}">{}</a>', address, urlencode(query), text)
