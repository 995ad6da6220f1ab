"""Pruning: events that are old and settled go, together with their receipts and failures, in chunks.

The domain's own rows stay, and go on naming the event that caused them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from .models import Delivery, Event, Failure, FailureCount, Receipt, RefusedMessage

#: An event's id begins with the time of whoever published it; clocks differ by less than this.
CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What has gone so far."""

    events: int = 0
    receipts: int = 0
    failures: int = 0


def prunable(*, keep: timedelta) -> QuerySet[Event]:
    """Events that are older than `keep`, by the database's clock, and that nobody is owed, dead letters included."""
    before = _now() - keep
    return Event.objects.filter(
        ~Exists(Delivery.objects.filter(event_id=OuterRef("pk"))),
        time__lt=before,
        # Ids sort by time: so the search ends where the old ones end, by the primary key.
        pk__lt=_first_id(before + CLOCKS_DIFFER),
    )


def prune(*, keep: timedelta, chunk: int) -> Iterator[Pruned]:
    """Delete what is prunable now, at most `chunk` events in a transaction; interrupted, what has gone has gone.

    Several may run at once, and beside workers and replays: an event that somebody has locked is passed over.

    Yields:
        After each chunk, what has gone so far.
    """
    gone = Pruned()
    last = UUID(int=0)
    # What becomes old meanwhile is left to the next time: else there may be no end to it.
    old = prunable(keep=keep)
    while True:
        with transaction.atomic():
            candidates = old.filter(pk__gt=last).order_by("pk")
            locked = candidates.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
            ids = list(locked.values_list("pk", flat=True)[:chunk])
            if not ids:
                break
            # Asked again, now that the events are locked: a replay may have come between.
            owed = set(Delivery.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
            free = [event_id for event_id in ids if event_id not in owed]
            receipts = Receipt.objects.filter(event_id__in=free).delete()[0]
            failures = Failure.objects.filter(event_id__in=free).delete()[0]
            events = Event.objects.filter(pk__in=free).delete()[0]
        last = ids[-1]
        gone = Pruned(events=gone.events + events, receipts=gone.receipts + receipts, failures=gone.failures + failures)
        yield gone


def forget_old_troubles(*, keep: timedelta) -> int:
    """Delete counts of failures and of refused messages that have not grown for so long; how many."""
    before = Now() - keep
    counts, _ = FailureCount.objects.filter(last_at__lt=before).delete()
    refused, _ = RefusedMessage.objects.filter(last_at__lt=before).delete()
    return counts + refused


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(
            {"postgresql": "SELECT now()", "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')"}[
                connection.vendor
            ]
        )
        value = cursor.fetchone()[0]
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _first_id(at: datetime) -> UUID:
    """The least UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
