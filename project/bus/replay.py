"""Replay: owe events again that were published before, also to a handler that did not exist then.

A handler may be called twice for one event, so replaying what was done does no harm; it only costs.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from .models import Event, Subscription

#: Events replayed by one transaction.
CHUNK = 1_000


class NotSubscribed(LookupError):
    """Nobody, or not the handler, is subscribed to events that are to be replayed; the message says who is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which events are meant, and to whom they are to be owed; what is None or empty leaves all in."""

    type: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    #: A handler that is subscribed to the events; all that are, by default.
    handler: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What was done so far: events passed, deliveries made, and those left out because they are still owed."""

    events: int
    deliveries: int
    still_owed: int


def chosen(selection: Selection, *, types: Collection[str]) -> QuerySet[Event]:
    """The events of these types that are meant."""
    events = Event.objects.filter(type__in=types)
    if selection.subject:
        events = events.filter(subject=selection.subject)
    if selection.since is not None:
        events = events.filter(time__gte=selection.since)
    if selection.until is not None:
        events = events.filter(time__lt=selection.until)
    return events


def subscribers(selection: Selection) -> dict[str, list[str]]:
    """The handlers to which each event type would be owed.

    Raises:
        NotSubscribed: there are none.
    """
    active = Subscription.objects.filter(active=True).order_by("handler")
    rows = active.filter(event_type=selection.type) if selection.type else active
    found: dict[str, list[str]] = {}
    for event_type, handler in rows.values_list("event_type", "handler"):
        if selection.handler in ("", handler):
            found.setdefault(event_type, []).append(handler)
    if not found:
        others = ", ".join(f"{row.handler} to {row.event_type}" for row in rows or active)
        nobody = f"{selection.handler} is not" if selection.handler else "Nobody is"
        to = f" to {selection.type}" if selection.type else ""
        raise NotSubscribed(f"{nobody} subscribed{to}. Subscribed: {others or 'nobody'}.")
    return found


def replay(selection: Selection) -> Iterator[Replayed]:
    """Owe the events there are, oldest first, each chunk in a transaction; interrupted, it can be run again.

    Yields:
        After each chunk, what was done so far.

    Raises:
        NotSubscribed: nobody would be owed them.
    """
    by_type = subscribers(selection)
    meant = chosen(selection, types=by_type)
    events = deliveries = still_owed = 0
    # What is published meanwhile is owed anyway, and there may be no end to it.
    newest = meant.order_by("pk").values_list("pk", flat=True).last()
    last = UUID(int=0)
    while newest is not None:
        with transaction.atomic():
            # Locked against pruning, which takes no event that somebody has locked.
            chunk = meant.filter(pk__gt=last, pk__lte=newest).order_by("pk")
            chunk = chunk.select_for_update(no_key=connection.vendor == "postgresql")
            rows = list(chunk.values_list("pk", "type")[:CHUNK])
            if not rows:
                break
            pairs = [(event_id, handler) for event_id, event_type in rows for handler in by_type[event_type]]
            made = _owe(pairs)
        last = rows[-1][0]
        events, deliveries, still_owed = events + len(rows), deliveries + made, still_owed + len(pairs) - made
        yield Replayed(events=events, deliveries=deliveries, still_owed=still_owed)


def _owe(pairs: list[tuple[UUID, str]]) -> int:
    """Insert a delivery for each (event, handler), due now, but where one is owed; how many were."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_OWE_POSTGRESQL, [[event_id for event_id, _ in pairs], [handler for _, handler in pairs]])
            return int(cursor.rowcount)
        cursor.executemany(_OWE_SQLITE, [(event_id.hex, handler) for event_id, handler in pairs])
        return int(cursor.rowcount)


_OWE_POSTGRESQL = """
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT event_id, handler, now(), 0 FROM unnest(%s::uuid[], %s::text[]) AS pair (event_id, handler)
    ON CONFLICT (event_id, handler) DO NOTHING
"""
_OWE_SQLITE = """
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    VALUES (%s, %s, strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now'), 0)
    ON CONFLICT (event_id, handler) DO NOTHING
"""
