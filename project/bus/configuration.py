"""configure(): makes a Celery app carry bells beside its own tasks."""

import logging
from typing import Any

from celery import Celery
from celery.signals import celeryd_init
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES, _transport_cache  # type: ignore[attr-defined]  # it has no other name

from .registry import bus_queues

logger = logging.getLogger(__name__)

_GUARD = f"{__package__}.guard"
#: The queues that were made here, and not by the app for its own tasks.
_made: set[str] = set()


def configure(app: Celery) -> None:
    """Let an app's workers answer bells beside the app's own tasks, queues and settings, which stay as they are.

    Call it once, where the app is made::

        app = Celery("shop")
        app.config_from_object("django.conf:settings", namespace="CELERY")
        configure(app)
        app.autodiscover_tasks()

    What it changes: kombu's transports for Redis and RabbitMQ get the guard, which looks at the bus's queues alone;
    `worker_consumer` becomes a consumer that counts and drops what the guard refuses; and a worker that names no queues
    with -Q consumes the bus's queues too. A queue cannot carry both bells and other tasks: `BUS_QUEUE_PREFIX` or
    `subscribe(queue=...)` gives the bus a queue with another name.
    """
    # A message that is not a bell must not reach Celery, whose workers can crash on it (guard/guard.py).
    redis, amqp = f"{_GUARD}.transports.redis:RedisTransport", f"{_GUARD}.transports.amqp:AmqpTransport"
    TRANSPORT_ALIASES.update(redis=redis, rediss=redis, amqp=amqp, pyamqp=amqp)
    TRANSPORT_ALIASES["amqps"] = f"{_GUARD}.transports.amqp:AmqpSSLTransport"
    # kombu keeps the transport of a scheme that somebody used before, which has no guard.
    _transport_cache.clear()
    app.conf.worker_consumer = f"{_GUARD}.celery_worker:GuardedConsumer"
    # Before the worker chooses its queues, and after Django has imported the handlers.
    celeryd_init.connect(_add_queues, dispatch_uid="bus.add_queues")


def bus_queue(name: str, *, quorum: bool = False) -> Queue:
    """Make a queue for bells and register its name.

    A direct exchange, because topic exchanges on Redis lose what cannot be routed and repeat what is restored.

    Args:
        quorum: RabbitMQ's replicated kind. In a worker that consumes one, Celery changes how it limits prefetching and
            delays tasks with an ETA, so it is for workers that only answer bells. Redis ignores it.
    """
    bus_queues.add(name)
    _made.add(name)
    arguments = {"x-queue-type": "quorum"} if quorum else None
    return Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=arguments)


def _add_queues(*, instance: Any, **_: Any) -> None:
    queues = instance.app.amqp.queues
    if shared := sorted(name for name in bus_queues if name in queues and name not in _made):
        # Celery logs any other exception from a signal and goes on; then the guard would drop the app's tasks.
        raise SystemExit(
            f"The queue {', '.join(shared)} carries tasks of the app and bells. Set BUS_QUEUE_PREFIX, or name another "
            "queue with @subscribe(..., queue=...)."
        )
    for name in sorted(bus_queues - set(queues)):
        # Consumed by default; a worker that names its queues with -Q selects them afterwards.
        queues.select_add(bus_queue(name))
    transport = instance.app.connection_for_read().get_transport_cls()
    if not transport.__module__.startswith(_GUARD):
        logger.warning(
            "the broker %s has no guard: a message that is not a bell can end a worker", transport.__module__
        )
