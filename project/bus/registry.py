"""The handlers that this process knows, and the subscriptions that their event types get in the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig

from .events import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """A function subscribed to event types. Times are in seconds."""

    name: str
    function: Callable[..., object]
    event_types: tuple[type[Event], ...]
    queue: str
    batch: bool
    external: bool
    attempts: int
    time_limit: int

    def takes(self, event_type: str) -> bool:
        """Whether the code gives it events of a type, by wire name."""
        return any(taken.wire_name == event_type for taken in self.event_types)


handlers: dict[str, Handler] = {}


def register(handler: Handler) -> None:
    """Make a handler known to this process.

    Raises:
        ValueError: another function has the same name.
    """
    if handler.name in handlers:
        raise ValueError(f"two handlers are named {handler.name}: names are stored, so rename one")
    handlers[handler.name] = handler


def write_subscriptions(*, sender: AppConfig, using: str, **_: object) -> None:
    """Add or wake a subscription for every handler and event type of this process's code; take none away.

    A process with an old or incomplete registry must not unsubscribe what it does not know.
    """
    subscription: Any = sender.get_model("Subscription")
    subscription.objects.using(using).bulk_create(
        [
            subscription(event_type=event_type.wire_name, handler=handler.name, queue=handler.queue)
            for handler in handlers.values()
            for event_type in handler.event_types
        ],
        update_conflicts=True,
        unique_fields=["event_type", "handler"],
        update_fields=["queue", "active"],
    )
