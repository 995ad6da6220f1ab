"""What lists in the admin share: pages that cost the same at a million rows, searches by index, and links.

It is here because the bus's lists need it and the bus imports no other package of the project.
"""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import NotRelationField, get_fields_from_path, quote
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db import models
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from ..backends import backend_of
from .bounds import NUL, BoundedAdmin

#: How many rows are counted at most: of a whole table, and of a search or a filter.
COUNTED = 100_000
COUNTED_FILTERED = 10_000
#: Characters of a search.
LONGEST_TERM = 320

NOTHING = "-"


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts a bounded number of rows, and skips rows by their keys alone."""

    object_list: QuerySet[Any]
    #: The line below a list. Only unfold reads this.
    template_name = "bus/pages.html"

    @cached_property
    def count(self) -> int:
        return self.counted[0]

    @cached_property
    def counted(self) -> tuple[int, str]:
        """How many rows there are to page through, and the text that says so."""
        rows = self.object_list
        bound = COUNTED_FILTERED if rows.query.where else COUNTED
        if not rows.query.where and (estimate := backend_of(rows.db).estimated_rows(rows.model)) > bound:
            return estimate, f"about {estimate:,}"
        count = rows.order_by().values("pk")[: bound + 1].count()
        return (bound, f"more than {bound:,}") if count > bound else (count, f"{count:,}")

    def page(self, number: int | str) -> "Page[Any]":
        """One page of rows. For each page but the first, one query finds the keys and another the rows.

        The database also reads all rows before the page, and to find keys it reads only an index.
        """
        page = super().page(number)
        if page.number == 1:
            return page
        rows = cast("QuerySet[Any]", page.object_list)
        keys = list(rows.values_list("pk", flat=True))
        page.object_list = self.object_list.filter(pk__in=keys)
        return page


class LargeTableAdmin(BoundedAdmin):
    """A table that may grow to millions of rows. Each filter, search and order of its list has an index."""

    paginator = BoundedPaginator
    list_per_page = list_max_show_all = 50
    list_disable_select_all = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # Other columns have no index to sort by.
    sortable_by = ()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list. Hide the number of results above it: the line below says how exact it is."""
        changelist = super().get_changelist_instance(request)
        changelist.full_result_count = changelist.result_count
        if ERROR_FLAG in request.GET:  # Django redirects here
            self.message_user(request, "There is no such page or filter, so this is the whole list.", messages.WARNING)
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The rows that have the term in one of the search fields, and False: each row is found once."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if len(term) > LONGEST_TERM or NUL in term:
            self.message_user(
                request,
                f"Search for at most {LONGEST_TERM} characters, all of them printable.",
                messages.WARNING,
            )
            return queryset.none(), False
        wanted = Q()
        for name in self.search_fields:
            try:
                wanted |= self.search_condition(name, term)
            except ValidationError:
                continue  # this field cannot hold the term
        if not wanted:
            self.message_user(
                request,
                f"{term!r} is not a whole id. Paste a whole one.",
                messages.WARNING,
            )
            return queryset.none(), False
        return queryset.filter(wanted), False

    def search_condition(self, name: str, term: str) -> Q:
        """A field equals the term or, if its name ends in a lookup such as `__startswith`, matches it.

        Raises:
            ValidationError: the field cannot hold the term.
        """
        try:
            field = get_fields_from_path(self.model, name)[-1]
        except NotRelationField:
            field = get_fields_from_path(self.model, name.rpartition("__")[0])[-1]
        return Q(**{name: field.to_python(term)})


class ReadOnly:
    """Rows can be seen, but not added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Rows cannot be added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Rows cannot be changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Rows cannot be deleted here."""
        return False


class ReadOnlyAdmin(ReadOnly, LargeTableAdmin):
    """A table that only operations write."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One row, without a link to the history, which is empty because nothing changes here."""
        context = {"show_history": False, **(extra_context or {})}
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        return answer

    def may_act(self, request: HttpRequest, *, permission: str, object_id: str | None) -> bool:
        """Ask before a dialog is shown, which does not look for its row.

        Raises:
            Http404: there is no such row.
        """
        allowed = request.user.has_perm(permission)
        if allowed and object_id is not None and self.get_object(request, object_id) is None:
            raise Http404
        return allowed


def link(page: str, key: object, text: object = None) -> str:
    """A link to the page of one row, or only the text if that app is not installed: services may run separately.

    Args:
        page: an app and a model, such as "orders_order".
        key: the row's primary key; None or "" gives "-".
        text: by default the key.
    """
    if key in (None, ""):
        return NOTHING
    try:
        address = reverse(f"admin:{page}_change", args=[quote(str(key))])
    except NoReverseMatch:
        return str(text or key)
    return format_html('<a class="text-link" href="{}">{}</a>', address, text or key)


def list_link(page: str, text: object, **query: Any) -> str:
    """A link to a list, filtered by a query such as q=an id; only the text if that app is not installed."""
    try:
        address = reverse(f"admin:{page}_changelist")
    except NoReverseMatch:
        return str(text)
    return format_html('<a class="text-link" href="{}?{}">{}</a>', address, urlencode(query), text)
