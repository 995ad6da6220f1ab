"""What people do with handlers: pause them, set them to work again, and retire them."""

from collections.abc import Collection, Iterator

from django.db import transaction

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


def retire(*, handler: str, discard: bool) -> None:
    """Owe a handler nothing any more.

    Args:
        discard: what it is still owed will be given up, by `discard_owed`.

    Raises:
        UnknownHandler: it is not subscribed.
        StillInCode: this release has it.
        StillOwed: something is owed to it, and is not to be discarded.
    """
    require([handler])
    if handler in in_code:
        raise StillInCode(
            f"This release has {handler}: the next migrate would subscribe it again. Take it out of the code first."
        )
    with transaction.atomic():
        # Before anything else: what is published from here on owes it nothing. A transaction that is open now may still
        # owe it something when it commits, which `bus_status` shows, and which is given up by doing this once more.
        Subscription.objects.filter(handler=handler).update(active=False)
        if not discard and (number := owed(handlers=[handler])):
            raise StillOwed(
                f"{handler} is owed {number}. Wait until workers of a release that has it are done, or give --discard."
            )


def discard_owed(*, handler: str) -> Iterator[int]:
    """Give up what a retired handler is owed; how much of it, transaction by transaction."""
    while True:
        with transaction.atomic():
            ids = Delivery.objects.filter(handler=handler).order_by("pk").values_list("pk", flat=True)[:CHUNK]
            ended = dead_letters.end(Delivery.objects.filter(pk__in=list(ids)))
        if not ended:
            return
        yield ended


def owed(*, handlers: Collection[str]) -> int:
    """How many deliveries handlers are owed, dead letters among them."""
    return Delivery.objects.filter(handler__in=handlers).count()


def known() -> list[str]:
    """The handlers that are or were subscribed to anything."""
    return sorted(set(Subscription.objects.values_list("handler", flat=True)))


def require(handlers: Collection[str]) -> None:
    """Do nothing, if all of these are or were subscribed to anything.

    Raises:
        UnknownHandler: one of them never was.
    """
    names = known()
    for handler in handlers:
        if handler not in names:
            raise UnknownHandler(f"There is no handler {handler!r}. There are: {', '.join(names) or 'none'}.")
