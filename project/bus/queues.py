"""The broker, as far as who rings needs it: how many bells wait in a queue, and one more."""

import logging
from contextlib import suppress
from typing import Any

from celery import Celery
from kombu import Connection, Producer, Queue
from kombu.exceptions import ChannelError, OperationalError

logger = logging.getLogger(__name__)

#: Seconds after which RabbitMQ drops a bell that nobody took. Not a Celery expiry, which compares two machines' clocks:
#: a worker one hour ahead would refuse every bell.
BELL_LIFE = 10
#: Seconds in which a broker answers, or is taken to be gone, and in which it may say goodbye.
ANSWER = 5
FAREWELL = 0.5


class QueueFails(Exception):
    """A queue cannot be asked or rung, such as a key of Redis that is no list; the other queues can."""


class Bells:
    """The queues of one broker, over a connection that is made when it is needed."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        # RabbitMQ closes the channel on which one asks for a queue that is missing: so a channel for asking alone.
        self._asking: Any = None
        self._socket: Any = None
        #: Queues of which it was said that they fail.
        self._failing: set[str] = set()
        some = app.connection_for_write()
        #: What the broker's client raises when the broker fails.
        self.errors: tuple[type[BaseException], ...] = (
            *(OperationalError, QueueFails),
            *some.connection_errors,
            *some.channel_errors,
        )
        self._channel_errors: tuple[type[BaseException], ...] = (ChannelError, *some.channel_errors)

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue; 0 for one that does not exist. Quorum queues may say 0 when unsure.

        Raises:
            QueueFails: the broker answers, and there is something wrong with this queue.
        """
        connection = self._open()
        if self._asking is None:
            self._asking = connection.channel()
        try:
            number = int(self._asking.queue_declare(queue, passive=True).message_count)
        except self._channel_errors as error:
            if connection.transport.driver_type == "amqp":
                self._asking = None
            if str(getattr(error, "reply_code", "")) == "404":  # a number from RabbitMQ, text from Redis
                return 0
            if queue not in self._failing:
                self._failing.add(queue)
                logger.warning("nobody can be rung by the queue %s (%s: %s)", queue, type(error).__name__, error)
            raise QueueFails(f"{queue}: {error}") from error
        self._failing.discard(queue)
        return number

    def ring(self, handler: str, *, queue: str) -> None:
        """Send one bell: the handler's Celery task without arguments."""
        self._open()
        self._app.send_task(
            handler,
            # A queue that only another release knows is rung all the same.
            queue=self._app.amqp.queues.get(queue) or Queue(queue),  # type: ignore[arg-type]
            producer=self._producer,
            retry=False,
            expiration=BELL_LIFE,
        )

    def close(self) -> None:
        """Let go of the broker; the next call connects anew."""
        if self._socket is not None:
            with suppress(OSError):  # a broker that said goodbye itself has closed it
                self._socket.settimeout(FAREWELL)
        if self._connection is not None:
            self._connection.release()
        self._connection = self._producer = self._asking = self._socket = None

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=1, timeout=ANSWER)
            if self._connection.transport.driver_type == "amqp":
                # py-amqp waits for an answer for ever, also on a connection of which the other end has gone silent.
                self._socket = self._connection.connection.sock
                self._socket.settimeout(ANSWER)
            self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
        return self._connection
