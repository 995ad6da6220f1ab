"""How the bus is doing: counts from the tables and the broker, and the story of one chain of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Now

from .counts import estimated
from .health import bells_waiting
from .journal import OWED
from .models import Delivery, Event, Failure, Receipt, Subscription

#: Above this many rows a total is PostgreSQL's estimate: counting millions of rows takes seconds.
COUNTED = 100_000


def bus_status() -> dict[str, Any]:
    """Counts of events and deliveries, the age in seconds of the oldest unsettled delivery, and waiting bells a queue.

    A queue's count is None when the broker does not answer; the figures are of one moment each, not of one together.
    """
    deliveries = Delivery.objects.aggregate(
        # Never tried and in the future is scheduled; after a claim or a failure due_at is a lease or a backoff.
        scheduled=Count("event_id", distinct=True, filter=OWED["scheduled"]),
        unsettled=Count("event_id", distinct=True, filter=_UNSETTLED),
        retrying=Count("id", filter=OWED["retrying"]),
        waiting=Count("id", filter=OWED["waiting"]),
        dead=Count("id", filter=Q(dead_at__isnull=False)),
        oldest=Min("event__time", filter=_UNSETTLED),
        now=Max(Now()),
    )
    oldest, now = deliveries.pop("oldest"), deliveries.pop("now")
    return {
        "events": {
            "total": _total(Event),
            "scheduled": deliveries["scheduled"],
            "unsettled": deliveries["unsettled"],
        },
        "oldest_unsettled_s": round((now - oldest).total_seconds(), 3) if oldest else 0.0,
        "deliveries": {
            "done": _total(Receipt),
            "retrying": deliveries["retrying"],
            "waiting": deliveries["waiting"],
            "dead": deliveries["dead"],
        },
        "handlers": {
            "paused": sorted(set(Subscription.objects.filter(paused=True).values_list("handler", flat=True))),
            "resting": {
                row.handler: row.rests_until.isoformat()
                for row in Subscription.objects.filter(rests_until__gt=Now())
                if row.rests_until
            },
        },
        "queues": queue_lengths(),
    }


_UNSETTLED = OWED["due"] | OWED["retrying"] | OWED["waiting"]


def queue_lengths() -> dict[str, int | None]:
    """How many bells wait in each queue that is set up or subscribed; None for each when the broker does not answer."""
    queues = sorted({*current_app.amqp.queues, *Subscription.objects.values_list("queue", flat=True)})
    try:
        return dict(bells_waiting(current_app, queues=queues))
    except ConnectionError:
        return dict.fromkeys(queues)


def _total(model: type[models.Model]) -> int:
    if (estimate := estimated(model, using=DEFAULT_DB_ALIAS)) > COUNTED:
        return estimate
    return int(model._default_manager.count())


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """One attempt that failed."""

    attempt: int
    at: datetime
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Handling:
    """What became of one event at one handler."""

    delivery_id: int
    handler: str
    #: done, discarded, dead, waiting, retrying, due or scheduled
    state: str
    attempts: int
    #: When it was done, discarded or given up.
    ended_at: datetime | None
    #: When it is tried next, if it is still to be.
    due_at: datetime | None
    failures: Sequence[Failed]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An event with what became of it."""

    id: UUID
    type: str
    subject: str
    sequence: int | None
    time: datetime
    causation_id: UUID | None
    handlings: Sequence[Handling]


def story(*, of: UUID) -> list[Told]:
    """All events of the chain to which an event, or an aggregate's events, belong; oldest first.

    Args:
        of: an event's id, or the subject of events, such as an order's id.

    Returns:
        The events; none when the id is not known.
    """
    chains = Event.objects.filter(Q(pk=of) | Q(subject=str(of))).values_list("correlation_id", flat=True)
    events = list(Event.objects.filter(correlation_id__in=set(chains)).order_by("time", "id"))
    handlings = _handlings([event.pk for event in events])
    return [
        Told(
            id=event.pk,
            type=event.type,
            subject=event.subject,
            sequence=event.sequence,
            time=event.time,
            causation_id=event.causation_id,
            handlings=handlings[event.pk],
        )
        for event in events
    ]


def _handlings(event_ids: Sequence[UUID]) -> dict[UUID, list[Handling]]:
    """What became of each event, in the order of its deliveries."""
    failures: dict[int, list[Failed]] = {}
    for failure in Failure.objects.filter(event_id__in=event_ids).order_by("failed_at", "id"):
        failed = Failed(attempt=failure.attempt, at=failure.failed_at, error=failure.error)
        failures.setdefault(failure.delivery_id, []).append(failed)
    found: dict[int, tuple[UUID, Handling]] = {}
    for delivery in Delivery.objects.filter(event_id__in=event_ids).annotate(now=Now()):
        found[delivery.pk] = (
            delivery.event_id,
            Handling(
                delivery_id=delivery.pk,
                handler=delivery.handler,
                state=state_of(delivery, now=delivery.now),
                attempts=delivery.attempts,
                ended_at=delivery.dead_at,
                due_at=None if delivery.dead_at else delivery.due_at,
                failures=failures.get(delivery.pk, []),
            ),
        )
    # Asked last: a delivery that gets its receipt meanwhile is found twice, and not missed.
    for receipt in Receipt.objects.filter(event_id__in=event_ids):
        found[receipt.delivery_id] = (
            receipt.event_id,
            Handling(
                delivery_id=receipt.delivery_id,
                handler=receipt.handler,
                state=receipt.outcome,
                attempts=receipt.attempts,
                ended_at=receipt.ended_at,
                due_at=None,
                failures=failures.get(receipt.delivery_id, []),
            ),
        )
    handlings: dict[UUID, list[Handling]] = {event_id: [] for event_id in event_ids}
    for _, (event_id, handling) in sorted(found.items(), key=itemgetter(0)):
        handlings[event_id].append(handling)
    return handlings


def state_of(delivery: Delivery, *, now: datetime) -> str:
    """Where a delivery stands at a time: dead, waiting for a newer release, retrying, scheduled or due."""
    if delivery.dead_at:
        return "dead"
    if delivery.waits_for:
        return "waiting"
    if delivery.attempts:
        return "retrying"
    return "scheduled" if delivery.due_at > now else "due"
