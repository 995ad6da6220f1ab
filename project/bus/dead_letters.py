"""What people do with dead letters: look at them by what went wrong, have them tried again, or give them up."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Now

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Dead letters of one handler that died of one error at one place."""

    handler: str
    signature: str
    error: str
    count: int
    oldest: datetime
    newest: datetime
    #: The id of one of them.
    example: int


def chosen(selection: Selection) -> QuerySet[Delivery]:
    """The dead letters that are meant."""
    dead = Q(dead_at__isnull=False)
    if selection.ids:
        dead &= Q(pk__in=selection.ids)
    if selection.handler:
        dead &= Q(handler=selection.handler)
    if selection.signature:
        dead &= Q(signature__startswith=selection.signature)
    if selection.older_than is not None:
        dead &= Q(dead_at__lt=Now() - selection.older_than)
    if selection.newer_than is not None:
        dead &= Q(dead_at__gt=Now() - selection.newer_than)
    return Delivery.objects.filter(dead)


def groups(selection: Selection) -> list[Group]:
    """The dead letters that are meant, by what went wrong; the most frequent first."""
    rows = list(
        chosen(selection)
        .values("handler", "signature")
        .annotate(number=Count("pk"), oldest=Min("dead_at"), newest=Max("dead_at"), example=Min("pk"))
        .order_by("-number", "handler", "signature")
    )
    errors = FailureCount.objects.in_bulk([row["signature"] for row in rows])
    return [
        Group(
            handler=row["handler"],
            signature=row["signature"],
            error=errors[row["signature"]].error if row["signature"] in errors else "",
            count=row["number"],
            oldest=row["oldest"],
            newest=row["newest"],
            example=row["example"],
        )
        for row in rows
    ]


def retry(*, delivery_ids: Collection[int]) -> int:
    """Owe dead deliveries again, from now and with all their attempts; others are left as they are.

    Returns:
        How many were dead and are due now.
    """
    return Delivery.objects.filter(pk__in=delivery_ids, dead_at__isnull=False).update(
        dead_at=None, attempts=0, due_at=Now()
    )


def discard(*, delivery_ids: Collection[int]) -> int:
    """Give dead deliveries up: each becomes a receipt that says so, under the same id.

    Returns:
        How many were dead and are discarded now.
    """
    with transaction.atomic():
        dead = Delivery.objects.filter(pk__in=delivery_ids, dead_at__isnull=False)
        return end(dead)


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


def in_chunks(selection: Selection) -> Iterator[list[int]]:
    """The ids of the dead letters that are meant, in the order of their ids, so many at a time.

    Those that die while it goes on come too, if their ids do.
    """
    last = 0
    while ids := list(chosen(selection).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield ids
        last = ids[-1]
