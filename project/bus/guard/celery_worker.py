"""The worker's side of bells: Celery consumers that pass bells on, and count and drop what the guard refused."""

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

from .guard import FLUSH_INTERVAL_S, refusals

logger = logging.getLogger(__name__)


class RecordRefusals(StartStopStep):
    """Writes the counts of refused messages by the worker's own timer. A thread could harm the children it forks."""

    def start(self, parent: Any) -> None:
        # At each new connection, because Celery drops timers together with the connection they began with.
        parent.timer.call_repeatedly(FLUSH_INTERVAL_S, refusals.flush)

    def stop(self, parent: Any) -> None:
        refusals.flush(last=True)


class StopBetweenBells(StartStopStep):
    """Stops the worker between two bells.

    Celery stops it inside the signal's handler, wherever the signal interrupts it: also while it hands a bell to a
    child. Then it waits for the child to finish, and the child waits for the rest of the bell, for ever.
    """

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._signal = 0
        self._pipe: tuple[int, int] | None = None
        # Empty until it starts: Celery also stops steps that it never started because the connection was lost before.
        self._handlers: dict[int, Any] = {}

    def start(self, parent: Any) -> None:
        """Only note signals from now on, until the connection is lost."""
        if parent.hub is None:  # a pool without children
            return
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)}
        # After a signal's handler Python goes on waiting, a second at most. A byte in this pipe ends the wait.
        self._pipe = os.pipe()
        parent.hub.add_reader(self._pipe[0], os.read, self._pipe[0], 1)
        for number in self._handlers:
            signal.signal(number, self._note)
        parent.hub.on_tick.add(self._stop_if_asked)

    def stop(self, parent: Any) -> None:
        """Restore the handlers, except those that Celery has replaced itself as it stops."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)
        if self._pipe is not None:
            parent.hub.on_tick.discard(self._stop_if_asked)
            parent.hub.remove_reader(self._pipe[0])
            for end in self._pipe:
                os.close(end)
            self._pipe = None
        self._stop_if_asked()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._pipe is not None and not self._signal:
            os.write(self._pipe[1], b".")
        self._signal = number

    def _stop_if_asked(self) -> None:
        """Stop if a signal came. The worker's loop calls this at each turn, once a second at least."""
        if self._signal:
            number, self._signal = self._signal, 0
            self._handlers[number](number, None)


class GuardedConsumer(Consumer):
    """A worker's consumer that drops what the guard refused. Other queues and tasks work as in any Celery worker."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc, valid-type]
        """Celery's steps and ours."""

        default_steps = (*Consumer.Blueprint.default_steps, RecordRefusals, StopBetweenBells)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Count and drop what the guard refused (transports.py), and pass everything else on."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_message(message: Any) -> None:
            if getattr(message, "refused", ""):  # only messages on the bus's queues have it
                refusals.add(queue=message.queue, reason=message.refused, sample=message.sample)
                message.ack_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]
            else:
                handle(message)

        return on_message


class BellConsumer(GuardedConsumer):
    """A consumer for workers that only answer bells: it neither asks nor tells other workers anything.

    Celery has flags for this on the command line alone, and a worker started manually would lack them. Its mingling
    and gossip use topic exchanges on the broker, for nothing that bells need.
    """

    class Blueprint(GuardedConsumer.Blueprint):
        """Without the step that declares 28 queues for delayed messages on RabbitMQ: bells are never delayed."""

        default_steps = tuple(
            step for step in GuardedConsumer.Blueprint.default_steps if not str(step).endswith(":DelayedDelivery")
        )

    def __init__(self, on_task_request: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        super().__init__(on_task_request, worker_options={**(worker_options or {}), **quiet}, **kwargs)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try a broker that is away again every second. Celery's pause grows to 30 seconds."""
        every_second = partial(conn.ensure_connection, interval_start=1, interval_step=0, interval_max=1)
        conn.ensure_connection = every_second  # type: ignore[method-assign]
        return super().ensure_connected(conn)
