"""Pruning: delete old settled events together with their receipts and failures.

The services' own rows stay, and keep the ids of the events that caused them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from ..backends import backend, bus_atomic, bus_connection
from ..models import Delivery, Event, Failure, FailureCount, Receipt, RefusedMessage
from . import audit

#: An event's id begins with its publisher's time. Clocks differ by less than this.
MAX_CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What was deleted so far."""

    events: int = 0
    receipts: int = 0
    failures: int = 0


def prunable(*, keep: timedelta) -> QuerySet[Event]:
    """Events older than `keep`, by the database's clock, that are owed to no handler. Dead letters are still owed."""
    before = backend().now() - keep
    return Event.objects.filter(
        ~Exists(Delivery.objects.filter(event_id=OuterRef("pk"))),
        time__lt=before,
        # Ids sort by time, so the search ends where the old ones end, by the primary key.
        pk__lt=_first_id(before + MAX_CLOCK_SKEW),
    )


def prune(
    *, keep: timedelta, events_per_transaction: int, actor: str, progress: Callable[[Pruned], None] = lambda _: None
) -> Pruned:
    """Delete what is prunable now, and counts of failures and refusals that have not grown since.

    What was deleted before an interruption stays deleted. Several may run at once, beside workers and replays: events
    that another transaction has locked are passed over.

    Args:
        progress: called after each transaction.
    """
    request = {"keep": keep, "chunk": events_per_transaction}
    # Events that become old meanwhile are left to the next run: otherwise there may be no end to them.
    old, last, done = prunable(keep=keep), UUID(int=0), Pruned()
    with audit.recorded(actor=actor, action="prune", request=request, always=True, **asdict(done)) as outcome:
        while chunk := _prune_chunk(old.filter(pk__gt=last), limit=events_per_transaction, done=done):
            last, done = chunk
            outcome.update(asdict(done))
            progress(done)
        _forget_old_counts(keep=keep)
    return done


def _prune_chunk(old: QuerySet[Event], *, limit: int, done: Pruned) -> tuple[UUID, Pruned] | None:
    """Delete one transaction's worth. Return the last id and what was deleted so far; None if nothing is left."""
    with bus_atomic():
        skip_locked = bus_connection().features.has_select_for_update_skip_locked
        locked = old.order_by("pk").select_for_update(skip_locked=skip_locked)
        ids = list(locked.values_list("pk", flat=True)[:limit])
        if not ids:
            return None
        # Asked again now that the events are locked: a replay may have come between.
        owed = set(Delivery.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
        settled = [event_id for event_id in ids if event_id not in owed]
        receipts = Receipt.objects.filter(event_id__in=settled).delete()[0]
        failures = Failure.objects.filter(event_id__in=settled).delete()[0]
        events = Event.objects.filter(pk__in=settled).delete()[0]
    return ids[-1], Pruned(
        events=done.events + events, receipts=done.receipts + receipts, failures=done.failures + failures
    )


def _forget_old_counts(*, keep: timedelta) -> None:
    before = Now() - keep
    FailureCount.objects.filter(last_at__lt=before).delete()
    RefusedMessage.objects.filter(last_at__lt=before).delete()


def _first_id(at: datetime) -> UUID:
    """The smallest UUIDv7 of a moment."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
