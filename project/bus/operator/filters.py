"""Filters of the bus's tables in Django admin. Their choices are known without a look at the tables."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..events import event_types
from ..models import Delivery, Event, Subscription
from ..states import OWED

#: True for every delivery, in the terms of the claims' partial indexes, which PostgreSQL can then use.
ANY_DELIVERY = Q(dead_at=None, attempts=0) | Q(dead_at=None, attempts__gt=0) | Q(dead_at__isnull=False)


class TypeFilter(admin.SimpleListFilter):
    """Events of one type, of those that this process knows: asking the table would read all of it."""

    title = parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(event_type.wire_name, event_type.wire_name) for event_type in event_types()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(type=self.value()) if self.value() else queryset


def subscribed() -> QuerySet[Subscription, str]:
    """The names of the subscribed handlers, from a table of a few rows."""
    return Subscription.objects.values_list("handler", flat=True).distinct().order_by("handler")


class StateFilter(admin.SimpleListFilter):
    """Deliveries in one state."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(state, state) for state in OWED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Filter; where an index begins with the handler, by naming all handlers."""
        state = self.value()
        if state not in OWED:
            return queryset
        found = queryset.filter(OWED[state].condition)
        if state == "dead":  # has an index of its own
            return found
        if state == "waiting":
            found = found.filter(ANY_DELIVERY)
        return found.filter(handler__in=list(subscribed()))


class HandlerFilter(admin.SimpleListFilter):
    """Deliveries to one handler."""

    title = parameter_name = "handler"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(name, name) for name in subscribed()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(ANY_DELIVERY, handler=self.value()) if self.value() else queryset
