"""Dead letters: find them by what went wrong, try them again, or give them up.

The same for deliveries that wait for a release which knows their event, and which may never come.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Count, Max, Min, QuerySet
from django.db.models.functions import Now

from ..backends import bus_atomic
from ..models import Delivery, FailureCount, Receipt
from ..worker.identity import worker_name
from . import audit

DELIVERIES_PER_TRANSACTION = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterQuery:
    """Which dead letters are meant. What is None or empty excludes none, except that empty `ids` mean none at all."""

    ids: Collection[int] | None = None
    handler: str = ""
    #: As `list` prints it, or its beginning.
    signature: str = ""
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    #: Deliveries that wait for a newer release, instead of dead letters. Their age is that of their event.
    waiting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterGroup:
    """Dead letters of one handler that died of one error at one place, or that wait for one version of an event."""

    handler: str
    signature: str
    #: Or the event type and version that they wait for.
    error: str
    count: int
    oldest: datetime
    newest: datetime
    #: The id of one of them.
    example: int


def matching(query: DeadLetterQuery) -> QuerySet[Delivery]:
    """The deliveries that a query means."""
    found, since = Delivery.objects.in_state(_state(query)), _since(query)
    if query.ids is not None:
        found = found.filter(pk__in=[number for number in query.ids if abs(number) <= BigIntegerField.MAX_BIGINT])
    if query.handler:
        found = found.filter(handler=query.handler)
    if query.signature:
        found = found.filter(signature__startswith=query.signature)
    if query.older_than is not None:
        found = found.filter(**{f"{since}__lt": Now() - query.older_than})
    if query.newer_than is not None:
        found = found.filter(**{f"{since}__gt": Now() - query.newer_than})
    return found


def _state(query: DeadLetterQuery) -> str:
    return "waiting" if query.waiting else "dead"


def _since(query: DeadLetterQuery) -> str:
    return "event__time" if query.waiting else "dead_at"


def grouped(query: DeadLetterQuery) -> list[DeadLetterGroup]:
    """The deliveries that a query means, by what went wrong or what they wait for; the most frequent first."""
    since = _since(query)
    rows = list(
        matching(query)
        .values("handler", "signature", "waits_for")
        .annotate(number=Count("pk"), oldest=Min(since), newest=Max(since), example=Min("pk"))
        .order_by("-number", "handler", "signature", "waits_for")
    )
    errors = FailureCount.objects.in_bulk([row["signature"] for row in rows])
    return [
        DeadLetterGroup(
            handler=row["handler"],
            signature=row["signature"],
            error=row["waits_for"] or (errors[row["signature"]].error if row["signature"] in errors else ""),
            count=row["number"],
            oldest=row["oldest"],
            newest=row["newest"],
            example=row["example"],
        )
        for row in rows
    ]


def retry(*, query: DeadLetterQuery, actor: str) -> int:
    """Owe the deliveries again, from now and with all their attempts. Return how many are due now.

    Deliveries in another state stay as they are. With ids it is one transaction; otherwise each thousand is one, and
    what was done before an interruption stays.
    """
    return _change(query, actor=actor, action="retry", change=_owe_again)


def discard(*, query: DeadLetterQuery, actor: str) -> int:
    """Give the deliveries up: each becomes a receipt that says so, with the same id. Return how many.

    Transactions are as in `retry`.
    """
    return _change(query, actor=actor, action="discard", change=discard_locked)


def _change(query: DeadLetterQuery, *, actor: str, action: str, change: Callable[[QuerySet[Delivery]], int]) -> int:
    request = {**asdict(query), "ids": sorted(query.ids or ())}
    with (
        nullcontext() if query.ids is None else bus_atomic(),
        audit.recorded(actor=actor, action=action, request=request, deliveries=0) as outcome,
    ):
        for ids in in_chunks(matching(query)):
            with bus_atomic():
                # Asked again: another process may have changed their state since they were found.
                done = change(Delivery.objects.in_state(_state(query)).filter(pk__in=ids))
            outcome["deliveries"] += done
    return int(outcome["deliveries"])


def _owe_again(deliveries: QuerySet[Delivery]) -> int:
    locked = list(deliveries.order_by("pk").select_for_update().values_list("pk", flat=True))
    return Delivery.objects.filter(pk__in=locked).update(dead_at=None, attempts=0, due_at=Now(), waits_for="")


def discard_locked(deliveries: QuerySet[Delivery]) -> int:
    """Lock deliveries and turn them into receipts that say `discarded`, within the open transaction."""
    locked = list(deliveries.select_for_update().order_by("pk"))
    Receipt.objects.bulk_create(
        Receipt(
            delivery_id=delivery.pk,
            event_id=delivery.event_id,
            handler=delivery.handler,
            outcome=Receipt.Outcome.DISCARDED,
            attempts=delivery.attempts,
            worker=worker_name(),
        )
        for delivery in locked
    )
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in locked]).delete()
    return len(locked)


def in_chunks(deliveries: QuerySet[Delivery]) -> Iterator[list[int]]:
    """The ids of deliveries in ascending order, a transaction's worth at a time."""
    last = 0
    while ids := list(
        deliveries.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:DELIVERIES_PER_TRANSACTION]
    ):
        yield ids
        last = ids[-1]
