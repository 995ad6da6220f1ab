"""Kombu's transport for Redis, with the guard where a message comes in."""

import base64
import binascii
import uuid
from queue import Empty
from typing import Any, NamedTuple

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from ...errors import MessageRefused
from ...registry import bus_queues
from ..guard import EMPTY_BODY, REFUSED_TASK, bell_headers, bell_task, parse_message, sample


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
    """Passes on a message of the bus as it came: kombu would decode it first, and crash on what is not JSON."""

    Message = RedisMessage

    def _brpop_read(self, **options: Any) -> bool:
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:  # type: ignore[attr-defined]
                self.client.connection.disconnect()
                raise
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


class RedisTransport(redis.Transport):
    """Kombu's transport, with the guard."""

    Channel = RedisChannel
