"""Replay: owe published events again, also to a handler that did not exist when they were published.

A handler may be called twice for one event, so replaying what was done does no harm; it only costs.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from ..backends import backend, bus_atomic, bus_connection
from ..errors import NotSubscribed
from ..models import Event, Subscription
from . import audit

EVENTS_PER_TRANSACTION = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayQuery:
    """Which events are owed again, and to which handlers. What is None or empty excludes none."""

    type: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    #: One of the handlers that are subscribed to the events.
    handler: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What was done so far: events read, deliveries inserted, and deliveries that were still owed."""

    events: int = 0
    deliveries: int = 0
    still_owed: int = 0


def matching(query: ReplayQuery, *, types: Collection[str]) -> QuerySet[Event]:
    """The events of these types that a query means."""
    events = Event.objects.filter(type__in=types)
    if query.subject:
        events = events.filter(subject=query.subject)
    if query.since is not None:
        events = events.filter(time__gte=query.since)
    if query.until is not None:
        events = events.filter(time__lt=query.until)
    return events


def subscribers(query: ReplayQuery) -> dict[str, list[str]]:
    """The handlers to which events of each type would be owed.

    Raises:
        NotSubscribed: there are none.
    """
    active = Subscription.objects.filter(active=True).order_by("handler")
    rows = active.filter(event_type=query.type) if query.type else active
    found: dict[str, list[str]] = {}
    for event_type, handler in rows.values_list("event_type", "handler"):
        if query.handler in ("", handler):
            found.setdefault(event_type, []).append(handler)
    if not found:
        others = ", ".join(f"{row.handler} to {row.event_type}" for row in rows or active)
        nobody = f"{query.handler} is not" if query.handler else "No handler is"
        to = f" to {query.type}" if query.type else ""
        raise NotSubscribed(f"{nobody} subscribed{to}. Subscribed: {others or 'nobody'}.")
    return found


def replay(*, query: ReplayQuery, actor: str, progress: Callable[[Replayed], None] = lambda _: None) -> Replayed:
    """Owe the events published until now, oldest first, each thousand in a transaction.

    What was done before an interruption stays, and the replay can be run again.

    Args:
        progress: called after each transaction.

    Raises:
        NotSubscribed: the events would be owed to no handler.
    """
    handlers = subscribers(query)
    events = matching(query, types=handlers)
    # Events published meanwhile are owed anyway, and there may be no end to them.
    newest = events.order_by("pk").values_list("pk", flat=True).last()
    done, last = Replayed(), UUID(int=0)
    with audit.recorded(actor=actor, action="replay", request=asdict(query), **asdict(done)) as outcome:
        while newest is not None:
            with bus_atomic():
                # Locked against pruning, which passes over locked events.
                chunk = events.filter(pk__gt=last, pk__lte=newest).order_by("pk")
                chunk = chunk.select_for_update(no_key=bus_connection().features.has_select_for_no_key_update)
                rows = list(chunk.values_list("pk", "type")[:EVENTS_PER_TRANSACTION])
                if not rows:
                    break
                pairs = [(event_id, handler) for event_id, event_type in rows for handler in handlers[event_type]]
                inserted = backend().insert_deliveries(pairs)
            last = rows[-1][0]
            done = Replayed(
                events=done.events + len(rows),
                deliveries=done.deliveries + inserted,
                still_owed=done.still_owed + len(pairs) - inserted,
            )
            outcome.update(asdict(done))
            progress(done)
    return done
