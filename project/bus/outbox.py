"""publish(): the transactional outbox (https://microservices.io/patterns/data/transactional-outbox.html).

The transaction that makes a change also writes the event and one delivery for each subscribed handler. Either all of it
is there or nothing is, at every point at which a process can die.
"""

from datetime import timedelta
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS

from . import conf
from .backends import backend, bus_connection
from .backends.statements import as_json
from .context import cause_of
from .errors import PublishedOutsideTransaction
from .events import Event


def publish(*events: Event, delay: timedelta = timedelta(0)) -> None:
    """Publish events with the open transaction: one statement, or two on SQLite, for any number of events.

    Example::

        with transaction.atomic():
            order = Order.objects.create(...)
            publish(OrderPlaced(order_id=order.pk))

    Args:
        delay: how long after now, by the database's clock, the deliveries are due. A delayed event is a scheduled one.

    Raises:
        PublishedOutsideTransaction: no transaction is open.
        InvalidEvent: a field's value does not fit its type.
        CauseMissing: within a batch handler, an event has no `cause`.
    """
    if not events:
        return
    if not bus_connection().in_atomic_block:
        raise PublishedOutsideTransaction(
            f"{type(events[0]).__name__} was published outside a transaction. "
            f"Wrap the change and the publish() in one transaction.atomic({_using()})."
        )
    backend().insert_events(as_json(_row(event) for event in events), delay_s=delay.total_seconds())


def _using() -> str:
    return "" if conf.database() == DEFAULT_DB_ALIAS else f"using={conf.database()!r}"


def _row(event: Event) -> dict[str, Any]:
    cause = cause_of(event)
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
