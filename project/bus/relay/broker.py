"""The broker as the relay needs it: how many bells wait in a queue, and ring one more."""

import logging
from contextlib import suppress
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import ChannelError, OperationalError

from ..errors import QueueUnavailable

logger = logging.getLogger(__name__)

#: Seconds after which RabbitMQ drops a bell that no worker took. Not a Celery expiry, which compares the clocks of two
#: machines: a worker one hour ahead would refuse every bell.
BELL_TTL_S = 10
#: Seconds that the broker has to answer a request, and to answer a goodbye.
BROKER_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 0.5


class Doorbell:
    """The queues of one broker, over a connection that is opened when it is needed."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        # RabbitMQ closes the channel on which a missing queue is asked for, so questions have a channel of their own.
        self._question_channel: Any = None
        self._socket: Any = None
        #: Unavailable queues that were already reported.
        self._reported: set[str] = set()
        transport = app.connection_for_write()
        #: What the broker's client raises when the broker fails.
        self.errors: tuple[type[BaseException], ...] = (
            *(OperationalError, QueueUnavailable),
            *transport.connection_errors,
            *transport.channel_errors,
        )
        self._channel_errors: tuple[type[BaseException], ...] = (ChannelError, *transport.channel_errors)

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue; 0 if it does not exist. Quorum queues may say 0 when they are unsure.

        Raises:
            QueueUnavailable: the broker answers, but this queue cannot be used.
        """
        connection = self._open()
        if self._question_channel is None:
            self._question_channel = connection.channel()
        try:
            number = int(self._question_channel.queue_declare(queue, passive=True).message_count)
        except self._channel_errors as error:
            if connection.transport.driver_type == "amqp":
                self._question_channel = None
            if str(getattr(error, "reply_code", "")) == "404":  # a number from RabbitMQ, text from Redis
                return 0
            if queue not in self._reported:
                self._reported.add(queue)
                logger.warning("the queue %s cannot be rung (%s: %s)", queue, type(error).__name__, error)
            raise QueueUnavailable(f"{queue}: {error}") from error
        self._reported.discard(queue)
        return number

    def ring(self, handler: str, *, queue: str) -> None:
        """Send one bell: the handler's Celery task without arguments.

        It goes to the default exchange, which knows every queue by its name, and not through `send_task`, which adds
        what the app's settings say (compression, an older protocol) and declares a queue that it does not know. A queue
        that only a worker or another release declares is rung like any other.
        """
        connection = self._open()
        if self._producer is None:
            self._producer = self._app.amqp.Producer(connection, auto_declare=False)
        message = self._app.amqp.as_task_v2(str(uuid4()), handler)
        known = self._app.amqp.queues.get(queue)
        self._producer.publish(
            message.body,
            exchange="",
            routing_key=queue,
            serializer="json",
            compression=None,
            headers=message.headers,
            declare=[known] if known else [],
            expiration=BELL_TTL_S,
            retry=False,
            **message.properties,
        )

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._socket is not None:
            with suppress(OSError):  # a broker that said goodbye first has closed it
                self._socket.settimeout(CLOSE_TIMEOUT_S)
        if self._connection is not None:
            self._connection.release()
        self._connection = self._producer = self._question_channel = self._socket = None

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            if self._connection.transport.driver_type == "amqp":
                # py-amqp waits for an answer for ever, also on a connection whose other end has gone silent.
                self._socket = self._connection.connection.sock
                self._socket.settimeout(BROKER_TIMEOUT_S)
        return self._connection
