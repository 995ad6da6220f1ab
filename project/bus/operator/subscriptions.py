"""Handlers as operators manage them: pause, resume, retire."""

from collections.abc import Collection

from django.db.models import QuerySet

from ..backends import bus_atomic
from ..errors import StillInCode, StillOwed, UnknownHandler
from ..models import Delivery, Subscription
from ..registry import handlers as in_code
from ..worker import circuit_breaker
from . import audit
from .dead_letters import DELIVERIES_PER_TRANSACTION, discard_locked


def pause(*, handlers: Collection[str], actor: str) -> int:
    """Stop ringing these handlers and claiming for them. What they are owed waits.

    Returns:
        How many deliveries they are owed.

    Raises:
        UnknownHandler: one of them is not subscribed.
    """
    with bus_atomic():
        return _set_paused(handlers, paused=True, actor=actor, action="pause")


def resume(*, handlers: Collection[str], actor: str) -> int:
    """Let paused handlers work again, and close the circuits of failing ones.

    Returns:
        How many deliveries they are owed.

    Raises:
        UnknownHandler: one of them is not subscribed.
    """
    with bus_atomic():
        owed_now = _set_paused(handlers, paused=False, actor=actor, action="resume")
        circuit_breaker.close(handlers=handlers)
    return owed_now


def _set_paused(handlers: Collection[str], *, paused: bool, actor: str, action: str) -> int:
    require(handlers)
    Subscription.objects.filter(handler__in=handlers).update(paused=paused)
    with audit.recorded(actor=actor, action=action, request={"handlers": list(handlers)}) as outcome:
        outcome["owed"] = owed(handlers=handlers)
    return int(outcome["owed"])


def retire(*, handler: str, discard: bool, actor: str, event_type: str = "") -> int:
    """Owe a handler nothing any more.

    Args:
        discard: also give up what it is still owed, a thousand deliveries in a transaction.
        event_type: only events of this type; by default of all types.

    Returns:
        How many deliveries were given up.

    Raises:
        UnknownHandler: it is not subscribed.
        StillInCode: this release has it, or gives it events of that type.
        StillOwed: something is owed to it, and is not to be discarded.
    """
    require([handler], event_type=event_type)
    if handler in in_code and (not event_type or in_code[handler].takes(event_type)):
        what = f"gives {handler} events of {event_type}" if event_type else f"has {handler}"
        raise StillInCode(
            f"This release {what}, so the next migrate would subscribe it again. Remove it from the code first."
        )
    with bus_atomic():
        # Before anything else: what is published from here on owes it nothing. A transaction that is open now may still
        # owe it something when it commits. `bus status` shows that, and retiring once more gives it up.
        subscribed = Subscription.objects.filter(handler=handler)
        (subscribed.filter(event_type=event_type) if event_type else subscribed).update(active=False)
        if not discard and (number := owed(handlers=[handler], event_type=event_type)):
            raise StillOwed(
                f"{handler} is owed {number}. Wait until workers of a release that has it are done, or use --discard."
            )
    request = {"handler": handler, "type": event_type, "discard": discard}
    with audit.recorded(actor=actor, action="retire", request=request, always=True, discarded=0) as outcome:
        while discard and (number := _discard_chunk(handler, event_type)):
            outcome["discarded"] += number
    return int(outcome["discarded"])


def _discard_chunk(handler: str, event_type: str) -> int:
    with bus_atomic():
        ids = _owed([handler], event_type).order_by("pk").values_list("pk", flat=True)[:DELIVERIES_PER_TRANSACTION]
        return discard_locked(Delivery.objects.filter(pk__in=list(ids)))


def owed(*, handlers: Collection[str], event_type: str = "") -> int:
    """How many deliveries handlers are owed, dead letters included."""
    return _owed(handlers, event_type).count()


def _owed(handlers: Collection[str], event_type: str) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.filter(handler__in=handlers)
    return deliveries.filter(event__type=event_type) if event_type else deliveries


def known() -> list[str]:
    """The handlers that are or were subscribed to anything."""
    return sorted(set(Subscription.objects.values_list("handler", flat=True)))


def require(handlers: Collection[str], *, event_type: str = "") -> None:
    """Check that handlers are or were subscribed to a type, or to anything.

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
