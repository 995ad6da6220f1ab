"""@subscribe, the handlers that this process knows, and their subscriptions in the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from celery import shared_task
from django.apps import AppConfig, apps
from django.dispatch import Signal

from . import conf
from .events import Event

Function = TypeVar("Function", bound=Callable[..., object])

#: The queue of handlers that reach outside the database, so that a hanging mail server stalls no other work.
EXTERNAL_QUEUE = "external"
#: Seconds after which a worker stops answering a bell although more is due. The relay rings again, maybe for another
#: handler.
ANSWER_BUDGET_S = 1.0
#: Seconds between a handler's soft time limit, which raises an exception in it, and the kill of its process.
KILL_GRACE_S = 5

#: Sent in a worker when a bell for `handler` arrives. project/bus/worker/consumer.py answers it.
bell_received = Signal()


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """A function subscribed to event types."""

    name: str
    function: Callable[..., object]
    event_types: tuple[type[Event], ...]
    queue: str
    batch: bool
    external: bool
    attempts: int
    #: Seconds.
    time_limit: int

    def takes(self, event_type: str) -> bool:
        """Whether this release gives the handler events of a type, by wire name."""
        return any(taken.wire_name == event_type for taken in self.event_types)


handlers: dict[str, Handler] = {}
#: The full names of the queues that carry bells. A queue can be declared although no handler here uses it.
bus_queues: set[str] = set()


def subscribe(
    *event_types: type[Event],
    batch: bool = False,
    external: bool = False,
    attempts: int = 8,
    time_limit: int = 30,
    name: str = "",
    queue: str = "",
) -> Callable[[Function], Function]:
    """Subscribe a function to event types. It becomes the Celery task ``app.function`` on the queue ``app``.

    The function stays a plain function. It may be called late, again after a rollback, and in any order of events.

    Example::

        @subscribe(OrderPlaced, batch=True)
        def reserve_stock(events: Sequence[OrderPlaced]) -> None:
            operations.reserve_stock(orders=events)

    Args:
        batch: call it with a sequence of up to 1000 events instead of one event.
        external: it reaches outside the database. It is called for one event at a time, outside any transaction, at
            least once, on the queue "external". `idempotency_key()` lets the other side recognise a repeat.
        attempts: after this many the delivery is a dead letter. An attempt in a batch counts, so it is 2 or more
            except for external handlers.
        time_limit: seconds for one call of a batch or external handler; otherwise for all of the up to 50 events that
            are handled one after the other in one transaction.
        name: the handler's name; by default the app's label and the function's name. It is stored, so keep it.
        queue: the queue's name without `BUS_QUEUE_PREFIX`; by default the app's label.

    Raises:
        ValueError: the name is taken, or the options exclude each other.
    """
    if batch and external:
        raise ValueError("An external handler is called for one event at a time: leave out batch=True.")
    if attempts < 2 and not external:
        raise ValueError("attempts must be 2 or more: after a failed batch each event is tried again alone.")

    def decorate(function: Function) -> Function:
        app_label = "" if name and queue else _app_label(function.__module__)
        handler = Handler(
            name=name or f"{app_label}.{function.__name__}",
            function=function,
            event_types=event_types,
            queue=conf.queue_prefix() + (queue or (EXTERNAL_QUEUE if external else app_label)),
            batch=batch,
            external=external,
            attempts=attempts,
            time_limit=time_limit,
        )
        _register(handler)
        return function

    return decorate


def _register(handler: Handler) -> None:
    """Make a handler known, and make the Celery task that receives its bells."""
    if handler.name in handlers:
        raise ValueError(f"Two handlers are named {handler.name}. Names are stored, so rename one of them.")
    handlers[handler.name] = handler
    bus_queues.add(handler.queue)
    soft = handler.time_limit + int(ANSWER_BUDGET_S)

    # Acknowledged on receipt: with late acknowledgement a task that kills its process is run again without limit.
    @shared_task(
        name=handler.name,
        soft_time_limit=soft,
        time_limit=soft + KILL_GRACE_S,
        ignore_result=True,
        acks_late=False,
        serializer="json",
    )
    def receive_bell() -> None:
        bell_received.send(sender=Handler, handler=handler)


def _app_label(module: str) -> str:
    """The label of the app that a module belongs to; outside apps, the name of the package around it.

    Raises:
        ValueError: there is neither.
    """
    app = apps.get_containing_app_config(module) if apps.apps_ready else None
    if app is None and "." not in module:
        raise ValueError(f"{module} is in no app: give the handler a name= and a queue=.")
    return app.label if app else module.split(".")[-2]


def write_subscriptions(*, sender: AppConfig, using: str, **_: object) -> None:
    """Add or reactivate a subscription for each handler and event type in this process's code; remove none.

    A process with an old or incomplete registry must not unsubscribe handlers that it does not know.
    """
    if using != conf.database():
        return
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
