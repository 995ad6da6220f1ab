"""The filters of the lists of events and deliveries."""

from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter

from project.api.filters import StrictFilterSet, choice_filter, uuid_filter
from project.bus.states import OWED, DeliveryQuerySet


class EventFilters(StrictFilterSet):
    """Filter events by type, subject and correlation."""

    type = CharFilter(max_length=100)
    subject = CharFilter(max_length=200)
    correlation_id = uuid_filter("correlation_id")


class DeliveryFilters(StrictFilterSet):
    """Filter deliveries by state, handler and event."""

    state = choice_filter([(state, state) for state in OWED], method="in_state")
    handler = CharFilter(max_length=100)
    event_id = uuid_filter("event_id")

    def in_state(self, deliveries: DeliveryQuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        """Filter by the condition of the state, which has an index; the annotated name has none."""
        return deliveries.in_state(state)
