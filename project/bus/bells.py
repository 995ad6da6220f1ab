"""The worker's side of bells: a Celery consumer that is alone with its broker and passes on nothing but bells."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from kombu import Connection

from .guard import FLUSH, refusals

logger = logging.getLogger(__name__)


class CountRefusals(StartStopStep):
    """Writes down what the guard refused, by the worker's own timer: a thread could harm the children it forks."""

    def start(self, parent: Any) -> None:
        """Once a second, from each new connection on: Celery takes timers away with the connection they began with."""
        parent.timer.call_repeatedly(FLUSH, refusals.flush)

    def stop(self, parent: Any) -> None:
        """What is left, at the end and before each new connection."""
        refusals.flush(last=True)


class BellConsumer(Consumer):
    """A worker's consumer that neither asks nor tells the other workers anything, and refuses what is no bell.

    Celery has flags for the first on the command line alone, and a worker started by hand would lack them: its mingling
    and gossip go over topic exchanges on the broker, for nothing that bells need.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc, valid-type]
        """Without the step that declares 28 queues for delayed messages on RabbitMQ: no bell is delayed."""

        default_steps = (
            *(step for step in Consumer.Blueprint.default_steps if not str(step).endswith(":DelayedDelivery")),
            CountRefusals,
        )

    def __init__(self, on_task_request: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        super().__init__(on_task_request, worker_options={**(worker_options or {}), **quiet}, **kwargs)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Pass bells on; count and forget whatever else the guard found (project/bus/transports.py)."""
        ring = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            if getattr(message, "refused", ""):  # kombu's own messages have no such thing
                key = message.delivery_info["routing_key"]  # somebody's exchange may give it any
                queue = key if key in self.app.amqp.queues else "other"
                refusals.add(queue=queue, reason=message.refused, sample=message.sample)
                message.ack_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]
            else:
                ring(message)

        return on_message

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try a broker that is away again every second; Celery lets that grow to 30."""
        often = partial(conn.ensure_connection, interval_start=1, interval_step=0, interval_max=1)
        conn.ensure_connection = often  # type: ignore[method-assign]
        return super().ensure_connected(conn)
