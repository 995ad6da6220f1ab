"""The worker's side of bells: a Celery consumer that is alone with its broker and passes on nothing but bells."""

import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType
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


class EndBetweenBells(StartStopStep):
    """Ends the worker between two bells.

    Celery ends it within the signal's handler, wherever that interrupts it: also while it hands a bell to a child. Then
    it waits for the child to be done, and the child for the rest of the bell, for ever.
    """

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._told = 0
        self._pipe: tuple[int, int] | None = None
        # Empty while it has not started: Celery stops each step, also those that the connection was lost before.
        self._handlers: dict[int, Any] = {}

    def start(self, parent: Any) -> None:
        """From now on, until the connection is lost, signals are only noted."""
        if parent.hub is None:  # a pool without children
            return
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)}
        # Python goes on waiting after a signal's handler, a second at most: what is written here ends the wait.
        self._pipe = os.pipe()
        parent.hub.add_reader(self._pipe[0], os.read, self._pipe[0], 1)
        for number in self._handlers:
            signal.signal(number, self._note)
        parent.hub.on_tick.add(self._end_if_told)

    def stop(self, parent: Any) -> None:
        """Give the handlers back, but those that Celery has exchanged itself as it ends."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)
        if self._pipe is not None:
            parent.hub.on_tick.discard(self._end_if_told)
            parent.hub.remove_reader(self._pipe[0])
            for end in self._pipe:
                os.close(end)
            self._pipe = None
        self._end_if_told()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._pipe is not None and not self._told:
            os.write(self._pipe[1], b".")
        self._told = number

    def _end_if_told(self) -> None:
        """Called by the worker's loop at each turn, once a second at least."""
        if self._told:
            number, self._told = self._told, 0
            self._handlers[number](number, None)


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
            EndBetweenBells,
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
