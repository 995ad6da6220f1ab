"""The relay, the workers and time, within the process of a test."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db.models import F
from django.db.models.functions import Now

from ..backends import bus_connection
from ..events import Event, event_type_named
from ..models import Delivery, Subscription
from ..models import Event as EventRow
from ..registry import handlers
from ..relay.scan import DueHandler, due_handlers
from ..worker.claims import forget_watermarks
from ..worker.consumer import answer_bell

#: Answers of each handler after which a chain of events is taken to have no end.
MAX_ROUNDS = 1000


def drain() -> None:
    """Handle everything that is due, until nothing is."""
    forget_watermarks()  # the watermarks of a test before may lie after what this one makes due
    due: list[DueHandler] = []
    for _ in range(MAX_ROUNDS):
        due = due_handlers(among=handlers) or (due_handlers(among=handlers) if _catch_up() else [])
        if not due:
            return
        for d in due:
            answer_bell(handlers[d.handler])
    owed = {d.handler: Delivery.objects.filter(handler=d.handler, dead_at=None).count() for d in due}
    pytest.fail(f"After {MAX_ROUNDS} rounds this is still owed: {owed}. Do events cause each other without end?")


def _catch_up() -> bool:
    """Let due what became due since the test's transaction began, at which PostgreSQL's now() stands still."""
    if not bus_connection().in_atomic_block:
        return False
    became_due = Delivery.objects.filter(dead_at=None, due_at__lte=Now())
    return bool(became_due.update(due_at=F("due_at") - timedelta(hours=1)))


def published(event_type: type[Event] | None = None) -> list[Any]:
    """The events published so far, as handlers receive them, oldest first."""
    rows = EventRow.objects.order_by("pk")
    if event_type is not None:
        rows = rows.filter(type=event_type.wire_name)
    return [
        event_type_named(row.type, version=row.version).decode(
            msgspec.json.encode(row.data),
            version=row.version,
            id=row.id,
            sequence=row.sequence,
            correlation_id=row.correlation_id,
            traceparent=row.traceparent,
            time=row.time,
        )
        for row in rows
    ]


class Clock:
    """Moves due times back, instead of the database's clock on."""

    def advance(self, by: timedelta) -> None:
        """Let this much time pass for deliveries and circuit breakers. Times of events and receipts stay."""
        Delivery.objects.filter(dead_at=None).update(due_at=F("due_at") - by)
        Subscription.objects.filter(open_until__isnull=False).update(open_until=F("open_until") - by)
        forget_watermarks()
