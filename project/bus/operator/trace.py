"""The trace of a chain of events: what each event led to at each of its handlers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from django.db.models import Q

from ..models import Delivery, Event, Failure, Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """One attempt that failed."""

    attempt: int
    at: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerTrace:
    """What happened to one event at one handler."""

    delivery_id: int
    handler: str
    #: One of project/bus/states.py.
    state: str
    attempts: int
    #: When it was done, discarded or dead.
    settled_at: datetime | None
    #: When the next attempt is due, if there is one.
    due_at: datetime | None
    failures: Sequence[FailedAttempt]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTrace:
    """An event and what happened to it."""

    id: UUID
    type: str
    subject: str
    sequence: int | None
    time: datetime
    causation_id: UUID | None
    handlers: Sequence[HandlerTrace]


def trace_events(*, of: UUID) -> list[EventTrace]:
    """All events of the chains that an event, or the events of an aggregate, belong to; oldest first.

    Args:
        of: an event's id, or the subject of events, such as an order's id.

    Returns:
        The events; an empty list if the id is unknown.
    """
    chains = Event.objects.filter(Q(pk=of) | Q(subject=str(of))).values_list("correlation_id", flat=True)
    events = list(Event.objects.filter(correlation_id__in=set(chains)).order_by("time", "id"))
    handlers = _handlers([event.pk for event in events])
    return [
        EventTrace(
            id=event.pk,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            time=event.time,
            causation_id=event.causation_id,
            handlers=handlers[event.pk],
        )
        for event in events
    ]


def _handlers(event_ids: Sequence[UUID]) -> dict[UUID, list[HandlerTrace]]:
    """What happened to each event, in the order of its deliveries."""
    failures: dict[int, list[FailedAttempt]] = {}
    for failure in Failure.objects.filter(event_id__in=event_ids).order_by("failed_at", "id"):
        failed = FailedAttempt(attempt=failure.attempt, at=failure.failed_at, error=failure.error)
        failures.setdefault(failure.delivery_id, []).append(failed)
    found: dict[int, tuple[UUID, HandlerTrace]] = {}
    for delivery in Delivery.objects.with_state().filter(event_id__in=event_ids):
        found[delivery.pk] = (
            delivery.event_id,
            HandlerTrace(
                delivery_id=delivery.pk,
                handler=delivery.handler,
                state=delivery.state,
                attempts=delivery.attempts,
                settled_at=delivery.dead_at,
                due_at=None if delivery.dead_at else delivery.due_at,
                failures=failures.get(delivery.pk, []),
            ),
        )
    # Queried last, so that a delivery that gets its receipt in between is found twice instead of missed.
    for receipt in Receipt.objects.filter(event_id__in=event_ids):
        found[receipt.delivery_id] = (
            receipt.event_id,
            HandlerTrace(
                delivery_id=receipt.delivery_id,
                handler=receipt.handler,
                state=receipt.outcome,
                attempts=receipt.attempts,
                settled_at=receipt.settled_at,
                due_at=None,
                failures=failures.get(receipt.delivery_id, []),
            ),
        )
    handlers: dict[UUID, list[HandlerTrace]] = {event_id: [] for event_id in event_ids}
    for _, (event_id, handler) in sorted(found.items(), key=itemgetter(0)):
        handlers[event_id].append(handler)
    return handlers
