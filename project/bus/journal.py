"""Reading the bus's tables, for whoever shows them to people: events, and what became of their deliveries."""

from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, DateTimeField, Exists, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from .models import Delivery, Event, Failure, Receipt

#: The states of what is still owed; what is done or discarded has a receipt.
OWED = {
    "due": Q(dead_at=None, attempts=0, due_at__lte=Now(), waits_for=""),
    "scheduled": Q(dead_at=None, attempts=0, due_at__gt=Now(), waits_for=""),
    "retrying": Q(dead_at=None, attempts__gt=0, waits_for=""),
    "waiting": Q(dead_at=None, waits_for__gt=""),
    "dead": Q(dead_at__isnull=False),
}
#: Tracebacks shown of one delivery.
FAILURES_SHOWN = 20


def events() -> QuerySet[Event]:
    """All events."""
    return Event.objects.all()


def deliveries() -> QuerySet[Delivery, Any]:
    """All that is owed; each with `state`, `event_type`, `subject`, and `ended_at`, the time of its death."""
    return Delivery.objects.annotate(
        state=Case(
            *(When(condition, then=Value(state)) for state, condition in OWED.items()), output_field=CharField()
        ),
        event_type=F("event__type"),
        subject=F("event__subject"),
        ended_at=F("dead_at"),
    )


def receipts() -> QuerySet[Receipt, Any]:
    """All that is done or discarded, as `deliveries()` gives what is owed."""
    return Receipt.objects.annotate(
        id=F("delivery_id"),
        state=F("outcome"),
        event_type=F("event__type"),
        subject=F("event__subject"),
        due_at=Value(None, output_field=DateTimeField()),
    )


def delivery(delivery_id: int) -> Delivery | Receipt | None:
    """One delivery, whether it is still owed or has its receipt; None when there never was one."""
    # In this order: it may get its receipt between the two.
    return deliveries().filter(pk=delivery_id).first() or receipts().filter(pk=delivery_id).first()


def deliveries_of(event_id: UUID) -> list[Delivery | Receipt]:
    """What became of one event at each of its handlers, in the order of the deliveries' ids."""
    owed = {row.pk: row for row in deliveries().filter(event_id=event_id)}
    ended = {row.pk: row for row in receipts().filter(event_id=event_id)}
    return [row for _, row in sorted((owed | ended).items())]


def failures(delivery_id: int) -> QuerySet[Failure]:
    """The latest failed attempts at one delivery, the last one first.

    Where none are kept any more, those of other deliveries with the signature of its last failure.
    """
    own = Failure.objects.filter(delivery_id=delivery_id)
    signatures = Delivery.objects.filter(pk=delivery_id).exclude(signature="").values("signature")
    alike = Q(signature__in=signatures) & ~Exists(own)
    return Failure.objects.filter(Q(delivery_id=delivery_id) | alike).order_by("-id")[:FAILURES_SHOWN]
