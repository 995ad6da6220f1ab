"""What the lists of the event bus can be asked for."""

from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter

from project.api.filters import Filters, id_of, one_of
from project.bus import journal


class EventFilters(Filters):
    """Events of one type, about one subject, or of one chain."""

    type = CharFilter(max_length=100)
    subject = CharFilter(max_length=200)
    correlation_id = id_of("correlation_id")


class DeliveryFilters(Filters):
    """What is owed, by its state, its handler or its event."""

    state = one_of([(state, state) for state in journal.OWED], method="in_state")
    handler = CharFilter(max_length=100)
    event_id = id_of("event_id")

    def in_state(self, deliveries: QuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        """By the condition, which has an index, and not by its name, which has none."""
        return deliveries.filter(journal.OWED[state])
