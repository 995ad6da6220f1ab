"""What people do with handlers: pause them, set them to work again, and retire them."""

from collections.abc import Collection, Iterator

from django.db import transaction
from django.db.models import QuerySet

from . import breaker, dead_letters
from .models import Delivery, Subscription
from .registry import handlers as in_code

#: Deliveries discarded by one transaction.
CHUNK = 1_000


class UnknownHandler(LookupError):
    """No subscription is of that handler; the message lists those that are."""


class StillOwed(RuntimeError):
    """A handler cannot be retired while something is owed to it."""


class StillInCode(RuntimeError):
    """A handler cannot be retired while the code has it: the next migrate would subscribe it again."""


def pause(*, handlers: Collection[str]) -> int:
    """Neither ring nor claim for these handlers from now on; what they are owed waits.

    Returns:
        How many deliveries they are owed.

    Raises:
        UnknownHandler: one of them is not subscribed.
    """
    with transaction.atomic():
        require(handlers)
        Subscription.objects.filter(handler__in=handlers).update(paused=True)
    return owed(handlers=handlers)


def resume(*, handlers: Collection[str]) -> int:
    """Let these handlers work again, whether they pause or rest.

    Returns:
        How many deliveries they are owed.

    Raises:
        UnknownHandler: one of them is not subscribed.
    """
    with transaction.atomic():
        require(handlers)
        Subscription.objects.filter(handler__in=handlers).update(paused=False)
        breaker.close(handlers=handlers)
    return owed(handlers=handlers)


def retire(*, handler: str, discard: bool, event_type: str = "") -> None:
    """Owe a handler nothing any more.

    Args:
        discard: what it is still owed will be given up, by `discard_owed`.
        event_type: nothing of this type, which it took once; by default nothing at all.

    Raises:
        UnknownHandler: it is not subscribed.
        StillInCode: this release has it, or gives it events of that type.
        StillOwed: something is owed to it, and is not to be discarded.
    """
    require([handler], event_type=event_type)
    if handler in in_code and (not event_type or in_code[handler].takes(event_type)):
        what = f"gives {handler} events of {event_type}" if event_type else f"has {handler}"
        raise StillInCode(
            f"This release {what}: the next migrate would subscribe it again. Take it out of the code first."
        )
    with transaction.atomic():
        # Before anything else: what is published from here on owes it nothing. A transaction that is open now may still
        # owe it something when it commits, which `bus_status` shows, and which is given up by doing this once more.
        subscribed = Subscription.objects.filter(handler=handler)
        (subscribed.filter(event_type=event_type) if event_type else subscribed).update(active=False)
        if not discard and (number := owed(handlers=[handler], event_type=event_type)):
            raise StillOwed(
                f"{handler} is owed {number}. Wait until workers of a release that has it are done, or give --discard."
            )


def discard_owed(*, handler: str, event_type: str = "") -> Iterator[int]:
    """Give up what a retired handler is owed, or that of one type; how much of it, transaction by transaction."""
    meant = _owed([handler], event_type).order_by("pk")
    while True:
        with transaction.atomic():
            ids = meant.values_list("pk", flat=True)[:CHUNK]
            ended = dead_letters.end(Delivery.objects.filter(pk__in=list(ids)))
        if not ended:
            return
        yield ended


def owed(*, handlers: Collection[str], event_type: str = "") -> int:
    """How many deliveries handlers are owed, or of one type, dead letters among them."""
    return _owed(handlers, event_type).count()


def _owed(handlers: Collection[str], event_type: str) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.filter(handler__in=handlers)
    return deliveries.filter(event__type=event_type) if event_type else deliveries


def known() -> list[str]:
    """The handlers that are or were subscribed to anything."""
    return sorted(set(Subscription.objects.values_list("handler", flat=True)))


def require(handlers: Collection[str], *, event_type: str = "") -> None:
    """Do nothing, if all of these are or were subscribed to the type, or to anything.

    Raises:
        UnknownHandler: one of them never was.
    """
    names = known()
    for handler in handlers:
        if handler not in names:
            raise UnknownHandler(f"There is no handler {handler!r}. There are: {', '.join(names) or 'none'}.")
        types = Subscription.objects.filter(handler=handler).order_by("event_type").values_list("event_type", flat=True)
        if event_type and event_type not in types:
            raise UnknownHandler(f"{handler} never took {event_type!r}. It takes or took: {', '.join(types)}.")
