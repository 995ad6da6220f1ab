"""Kombu's transport for Redis, with the guard where a message comes in."""

import base64
import binascii
import logging
import time
import uuid
from collections.abc import Iterable
from queue import Empty
from typing import Any, NamedTuple

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis.exceptions import ResponseError

from ...errors import MessageRefused
from ...registry import bus_queues
from ..guard import EMPTY_BODY, REFUSED_TASK, bell_headers, bell_task, parse_message, sample

logger = logging.getLogger(__name__)

#: Seconds between two tries to use keys of another type that may not be deleted, and between two reports of one key.
WAIT_S, REPORT_INTERVAL_S = 1.0, 60.0
_reported_at: dict[str, float] = {}


class Undecoded(NamedTuple):
    """A Redis message on a queue of the bus, as it came."""

    raw: bytes | str
    queue: str


class RedisMessage(virtual.Message):
    """A bell, made anew from the name of its task; or a refused message, which says why. Others are as kombu's."""

    refused = ""
    sample = ""
    queue = ""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        if not isinstance(payload, Undecoded):
            super().__init__(payload, channel=channel, **kwargs)
            return
        self.queue = payload.queue
        try:
            task = self._task(payload.raw)
        except MessageRefused as reason:
            task, self.refused, self.sample = REFUSED_TASK, str(reason), sample(payload.raw)
        clean = {
            "body": base64.b64encode(EMPTY_BODY).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": bell_headers(task),
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": payload.queue, "routing_key": payload.queue},
            },
        }
        super().__init__(clean, channel=channel, **kwargs)

    def _task(self, raw: bytes | str) -> str:
        message = parse_message(raw)
        body = message.get("body")
        properties = message.get("properties")
        if not isinstance(body, str) or not isinstance(properties, dict):
            raise MessageRefused("without a body or properties")
        if properties.get("body_encoding") == "base64":
            try:
                body = base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError) as error:
                raise MessageRefused("with an unreadable body") from error
        return bell_task(
            message.get("headers"),
            body,
            content_type=message.get("content-type"),
            content_encoding=message.get("content-encoding"),
        )


class RedisChannel(redis.Channel):
    """Passes on a message of the bus as it came: kombu would decode it first, and crash on what is not JSON.

    It deletes a key of a queue or of its bindings that has another type than kombu gives it, because the queue is of no
    use until then. Nothing is lost: what was owed is rung again.
    """

    Message = RedisMessage

    def _size(self, queue: str) -> int:
        try:
            return int(super()._size(queue))
        except ResponseError as error:
            if queue not in bus_queues or not _is_wrong_type(error):
                raise
            self._delete_wrong(self._keys(queue))
            return int(super()._size(queue))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)  # type: ignore[misc]
        except ResponseError as error:
            if queue not in bus_queues or not _is_wrong_type(error):
                raise
            for key in (self.keyprefix_queue % exchange, self.keyprefix_binding_permanent % exchange):  # type: ignore[attr-defined]
                self._delete_key(key)
            super()._queue_bind(exchange, routing_key, pattern, queue)  # type: ignore[misc]

    def _keys(self, queue: str) -> list[str]:
        return [self._q_for_pri(queue, priority) for priority in self.priority_steps]  # type: ignore[attr-defined]

    def _delete_wrong(self, keys: Iterable[str]) -> None:
        with self.conn_or_acquire() as client:
            for key in keys:
                try:
                    client.llen(key)
                except ResponseError as error:
                    if not _is_wrong_type(error):
                        raise
                    self._delete_key(key)

    def _delete_key(self, key: str) -> None:
        with self.conn_or_acquire() as client:
            try:
                client.delete(key)
            except ResponseError as error:
                _report(key, f"may not be deleted ({error}): nothing can use its queue until somebody deletes it")
                raise
        _report(key, "was deleted")

    def _brpop_read(self, **options: Any) -> bool:
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:  # type: ignore[attr-defined]
                self.client.connection.disconnect()
                raise
            except ResponseError as error:
                if not _is_wrong_type(error):
                    raise
                self._delete_wrong_of_active_queues()
                raise Empty from error
            if not answer:
                raise Empty
            key, raw = answer
            queue = bytes_to_str(key).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)  # type: ignore[attr-defined]
            payload = Undecoded(raw, queue) if queue in bus_queues else loads(bytes_to_str(raw))
            self.connection._deliver(payload, queue)  # noqa: SLF001 - as kombu's own does
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()  # type: ignore[attr-defined]

    def _delete_wrong_of_active_queues(self) -> None:
        try:
            self._delete_wrong(key for queue in self.active_queues if queue in bus_queues for key in self._keys(queue))
        except ResponseError:  # it is reported; Celery would connect anew at once, and log a traceback each time
            time.sleep(WAIT_S)


def _is_wrong_type(error: ResponseError) -> bool:
    return "WRONGTYPE" in str(error)


def _report(key: str, what: str) -> None:
    now = time.monotonic()
    if now - _reported_at.get(key, -REPORT_INTERVAL_S) >= REPORT_INTERVAL_S:
        _reported_at[key] = now
        logger.warning("the broker's key %s has another type than a queue, and %s", key, what)


class RedisTransport(redis.Transport):
    """Kombu's transport, with the guard."""

    Channel = RedisChannel
