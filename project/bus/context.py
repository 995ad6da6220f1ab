"""What the running handler works on: the events in hand, and the delivery of an external handler."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import CauseMissing, NoDeliveryInHand
from .events import Event

_events: ContextVar[Sequence[Event] | Event | None] = ContextVar("events", default=None)
_delivery: ContextVar[str] = ContextVar("delivery", default="")


@contextmanager
def handling(events: Sequence[Event] | Event, *, delivery: str = "") -> Iterator[None]:
    """Let events published inside the block follow from `events`.

    Args:
        events: one event, or the batch of which each published event names one as its cause.
        delivery: identifies the delivery of an external handler, the same at each attempt.
    """
    events_token, delivery_token = _events.set(events), _delivery.set(delivery)
    try:
        yield
    finally:
        _delivery.reset(delivery_token)
        _events.reset(events_token)


def cause_of(event: Event) -> Event | None:
    """The event that caused `event`: the one it names, or the one in hand.

    Raises:
        CauseMissing: a batch is in hand and `event` names no cause.
    """
    cause = event.cause or _events.get()
    if cause is not None and not isinstance(cause, Event):
        name = type(event).__name__
        raise CauseMissing(
            f"A batch handler published {name} without its cause. "
            f"Write {name}(..., cause=event) with the event of the batch that it follows from."
        )
    return cause


def idempotency_key() -> str:
    """Identify the delivery in hand within an external handler: the same at each attempt, and unique to it.

    Send it along, so that the other side can recognise a repeat. Example::

        @subscribe(OrderConfirmed, external=True)
        def email_confirmation(event):
            send(to=..., headers={"Message-ID": f"<{idempotency_key()}@shop.example.org>"})

    Raises:
        NoDeliveryInHand: no external handler is running.
    """
    if key := _delivery.get():
        return key
    raise NoDeliveryInHand("idempotency_key() works only within a handler subscribed with external=True.")
