"""How the bus's tables are filtered in Django admin; the choices are known without a look at the tables."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from .events import event_types
from .journal import OWED
from .models import Delivery, Event, Subscription


class TypeFilter(admin.SimpleListFilter):
    """Events of one type. The types are those that this process knows: to ask the table would be to read all of it."""

    title = parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The types, by name."""
        return [(event_type.wire_name, event_type.wire_name) for event_type in event_types()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events of the chosen type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


#: True of every delivery, and says so in the terms of the partial indexes of the claims, which can then be used.
FRESH_TRIED_OR_DEAD = Q(dead_at=None, attempts=0) | Q(dead_at=None, attempts__gt=0) | Q(dead_at__isnull=False)


def subscribed() -> QuerySet[Subscription, str]:
    """The names of the handlers that are subscribed to anything: a table of a few rows."""
    return Subscription.objects.values_list("handler", flat=True).distinct().order_by("handler")


class StateFilter(admin.SimpleListFilter):
    """Dead letters and what is not yet done."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The states."""
        return [(state, state) for state in OWED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """The deliveries in the chosen state, by naming all handlers, as the indexes of the claims begin with them."""
        match self.value():
            case "dead":
                return queryset.filter(OWED["dead"])
            case "due" | "scheduled" | "retrying" as state:
                return queryset.filter(OWED[state], handler__in=list(subscribed()))
            case "waiting":
                return queryset.filter(FRESH_TRIED_OR_DEAD, OWED["waiting"], handler__in=list(subscribed()))
        return queryset


class HandlerFilter(admin.SimpleListFilter):
    """What is owed to one handler."""

    title = parameter_name = "handler"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The handlers."""
        return [(name, name) for name in subscribed()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """The deliveries to the chosen handler."""
        return queryset.filter(FRESH_TRIED_OR_DEAD, handler=self.value()) if self.value() else queryset
