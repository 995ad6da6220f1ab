"""Reads the bus's tables for pages, the API and commands."""

from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Exists, F, Q, QuerySet, Value

from ..models import Delivery, Event, Failure, Receipt

#: Tracebacks shown for one delivery.
FAILURES_SHOWN = 20


def events() -> QuerySet[Event]:
    """All events."""
    return Event.objects.all()


def deliveries() -> QuerySet[Delivery, Any]:
    """All deliveries that are owed, each with `state`, `event_type`, `subject` and `settled_at`, the time of death."""
    return Delivery.objects.with_state().annotate(
        event_type=F("event__type"), subject=F("event__subject"), settled_at=F("dead_at")
    )


def receipts() -> QuerySet[Receipt, Any]:
    """All receipts, in the form of `deliveries()`."""
    return Receipt.objects.annotate(
        id=F("delivery_id"),
        state=F("outcome"),
        event_type=F("event__type"),
        subject=F("event__subject"),
        due_at=Value(None, output_field=DateTimeField()),
    )


def delivery(delivery_id: int) -> Delivery | Receipt | None:
    """One delivery, owed or settled; None if it never existed."""
    # In this order: it may get its receipt between the two queries.
    return deliveries().filter(pk=delivery_id).first() or receipts().filter(pk=delivery_id).first()


def deliveries_of(event_id: UUID) -> list[Delivery | Receipt]:
    """The deliveries of one event, owed or settled, sorted by id."""
    owed = {row.pk: row for row in deliveries().filter(event_id=event_id)}
    settled = {row.pk: row for row in receipts().filter(event_id=event_id)}
    return [row for _, row in sorted((owed | settled).items())]


def failures(delivery_id: int) -> QuerySet[Failure]:
    """The latest failed attempts at one delivery, newest first.

    If none of them are kept any more, those of other deliveries with the same signature as its last failure.
    """
    own = Failure.objects.filter(delivery_id=delivery_id)
    signatures = Delivery.objects.filter(pk=delivery_id).exclude(signature="").values("signature")
    alike = Q(signature__in=signatures) & ~Exists(own)
    return Failure.objects.filter(Q(delivery_id=delivery_id) | alike).order_by("-id")[:FAILURES_SHOWN]
