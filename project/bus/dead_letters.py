"""What people do with dead letters: look at them by what went wrong, have them tried again, or give them up.

The same for deliveries that wait for a release which knows their event, and may never come.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Now

from .journal import OWED
from .models import Delivery, FailureCount, Receipt
from .worker import worker_name

#: Deliveries changed by one transaction.
CHUNK = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which dead letters are meant; what is None or empty leaves all in."""

    ids: Collection[int] = ()
    handler: str = ""
    #: As `list` prints it, or how it begins.
    signature: str = ""
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    #: Those that wait for a newer release, instead of dead letters; their age is that of their event.
    waiting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Dead letters of one handler that died of one error at one place, or that wait for one version of an event."""

    handler: str
    signature: str
    #: Or the event type and version that is waited for.
    error: str
    count: int
    oldest: datetime
    newest: datetime
    #: The id of one of them.
    example: int


def chosen(selection: Selection) -> QuerySet[Delivery]:
    """The deliveries that are meant."""
    meant, since = _state(waiting=selection.waiting), _since(selection)
    if selection.ids:
        meant &= Q(pk__in=selection.ids)
    if selection.handler:
        meant &= Q(handler=selection.handler)
    if selection.signature:
        meant &= Q(signature__startswith=selection.signature)
    if selection.older_than is not None:
        meant &= Q((f"{since}__lt", Now() - selection.older_than))
    if selection.newer_than is not None:
        meant &= Q((f"{since}__gt", Now() - selection.newer_than))
    return Delivery.objects.filter(meant)


def _state(*, waiting: bool) -> Q:
    return OWED["waiting" if waiting else "dead"]


def _since(selection: Selection) -> str:
    return "event__time" if selection.waiting else "dead_at"


def groups(selection: Selection) -> list[Group]:
    """The deliveries that are meant, by what went wrong or what they wait for; the most frequent first."""
    since = _since(selection)
    rows = list(
        chosen(selection)
        .values("handler", "signature", "waits_for")
        .annotate(number=Count("pk"), oldest=Min(since), newest=Max(since), example=Min("pk"))
        .order_by("-number", "handler", "signature", "waits_for")
    )
    errors = FailureCount.objects.in_bulk([row["signature"] for row in rows])
    return [
        Group(
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


def retry(*, delivery_ids: Collection[int], waiting: bool = False) -> int:
    """Owe dead deliveries again, from now and with all their attempts; others are left as they are.

    Args:
        waiting: those of them that wait for a newer release, instead of those that are dead.

    Returns:
        How many were that and are due now.
    """
    with transaction.atomic():
        stuck = Delivery.objects.filter(_state(waiting=waiting), pk__in=delivery_ids).order_by("pk")
        locked = list(stuck.select_for_update().values_list("pk", flat=True))
        again = {"dead_at": None, "attempts": 0, "due_at": Now(), "waits_for": ""}
        return Delivery.objects.filter(pk__in=locked).update(**again)


def discard(*, delivery_ids: Collection[int], waiting: bool = False) -> int:
    """Give dead deliveries up: each becomes a receipt that says so, under the same id; others are left as they are.

    Args:
        waiting: those of them that wait for a newer release, instead of those that are dead.

    Returns:
        How many were that and are discarded now.
    """
    with transaction.atomic():
        return end(Delivery.objects.filter(_state(waiting=waiting), pk__in=delivery_ids))


def end(deliveries: QuerySet[Delivery]) -> int:
    """Turn deliveries into receipts that say `discarded`, within the open transaction."""
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
    """The ids of deliveries, in the order of their ids, so many at a time.

    Those that join them while it goes on come too, if their ids do.
    """
    last = 0
    while ids := list(deliveries.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield ids
        last = ids[-1]
