"""publish(): the transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

An event and a delivery for each subscriber are written by the transaction that makes the change they tell of: both are
there or neither is, at every point at which a process can die.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection

from .events import Event
from .sql import as_json, run


class PublishedOutsideTransaction(RuntimeError):
    """publish() was called where a crash could keep the change and lose its event."""


class CauseMissing(ValueError):
    """An event published by a batch handler does not say which of the batch's events it follows from."""


_in_hand: ContextVar[Sequence[Event] | Event | None] = ContextVar("in_hand", default=None)


@contextmanager
def handling(events: Sequence[Event] | Event) -> Iterator[None]:
    """While it lasts, what is published follows from `events`: from the one event, or from one of several."""
    token = _in_hand.set(events)
    try:
        yield
    finally:
        _in_hand.reset(token)


def publish(*events: Event, delay: timedelta = timedelta(0)) -> None:
    """Publish events with the open transaction: one statement, or two on SQLite, however many events.

    Args:
        delay: how long after now, by the database's clock, their deliveries are due: a scheduled event.

    Raises:
        PublishedOutsideTransaction: no transaction is open.
        InvalidEvent: a field's value does not fit its type.
        CauseMissing: within a batch handler, an event without `cause`.
    """
    if not events:
        return
    if not connection.in_atomic_block:
        raise PublishedOutsideTransaction(
            f"{type(events[0]).__name__} was published outside a transaction: "
            "wrap the change and the publish() in one transaction.atomic()"
        )
    rows = as_json(_row(event) for event in events)
    if connection.vendor == "postgresql":
        run(_POSTGRESQL, rows, delay.total_seconds())
    else:
        run(_EVENTS_SQLITE, rows)
        run(_DELIVERIES_SQLITE, delay.total_seconds(), rows)


def _row(event: Event) -> dict[str, Any]:
    cause = event.cause or _in_hand.get()
    if cause is not None and not isinstance(cause, Event):
        raise CauseMissing(
            f"a batch handler published {type(event).__name__} without its cause: "
            f"write {type(event).__name__}(..., cause=the event it follows from)"
        )
    return {
        "id": event.id,
        "type": event.wire_name,
        "version": event.wire_version,
        "subject": event.subject,
        "sequence": event.sequence,
        "data": msgspec.Raw(event.encode()),
        "correlation_id": event.correlation_id or (cause.correlation_id or cause.id if cause else event.id),
        "causation_id": cause.id if cause else None,
        "traceparent": event.traceparent or (cause.traceparent if cause else ""),
    }


# Deliveries are inserted in the order of their events (UUIDv7 sort by age) and claimed in that order.
_POSTGRESQL = """
    WITH event AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%s::json) AS event
            (id uuid, type text, version int, subject text, sequence bigint, data jsonb,
             correlation_id uuid, causation_id uuid, traceparent text)
    ),
    written AS (
        INSERT INTO bus_event
            (id, type, version, subject, sequence, time, data, correlation_id, causation_id, traceparent)
        SELECT id, type, version, subject, sequence, now(), data, correlation_id, causation_id, traceparent FROM event
    )
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT event.id, subscription.handler, now() + %s * interval '1 second', 0
    FROM event JOIN bus_subscription subscription ON subscription.event_type = event.type AND subscription.active
    ORDER BY event.id, subscription.id
"""
_EVENTS_SQLITE = """
    INSERT INTO bus_event
        (id, type, version, subject, sequence, time, data, correlation_id, causation_id, traceparent)
    SELECT json_extract(value, '$.id'), json_extract(value, '$.type'), json_extract(value, '$.version'),
        json_extract(value, '$.subject'), json_extract(value, '$.sequence'),
        strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now'), json_extract(value, '$.data'),
        json_extract(value, '$.correlation_id'), json_extract(value, '$.causation_id'),
        json_extract(value, '$.traceparent')
    FROM json_each(%s)
"""
_DELIVERIES_SQLITE = """
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT json_extract(value, '$.id'), subscription.handler,
        strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', %s || ' seconds'), 0
    FROM json_each(%s) AS event
    JOIN bus_subscription subscription
        ON subscription.event_type = json_extract(value, '$.type') AND subscription.active
    ORDER BY event.key, subscription.id
"""
