"""Kombu's transports for Redis and RabbitMQ, with the guard at the place where a message comes in.

project/celery.py names them in place of kombu's own, so they are those of every process: workers, relay, commands.
"""

import base64
import binascii
import uuid
from collections.abc import Callable
from queue import Empty
from typing import Any

from amqp import spec
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic
from kombu.message import Message as BaseMessage
from kombu.transport import pyamqp, redis, virtual
from kombu.utils.encoding import bytes_to_str

from .guard import EMPTY_BODY, UNREADABLE, NoBell, bell_of, headers_of, parsed, sample_of

#: What a refused message is given to Celery as: never run, as BellConsumer looks at `refused` first.
NO_TASK = "refused"
#: AMQP's number for the frame of a message that has its properties, and their place after class, weight and size.
CONTENT_HEADER, PROPERTIES_AT = 2, 12
#: Properties of which the content type is all there is.
INSTEAD = b"\x80\x00" + bytes([len(UNREADABLE)]) + UNREADABLE.encode()


class RedisMessage(virtual.Message):
    """A bell made anew from the name of its task, or a message that was refused and says why."""

    refused = ""
    sample = ""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            task = self._task(payload["raw"])
        except NoBell as reason:
            task, self.refused, self.sample = NO_TASK, str(reason), sample_of(payload["raw"])
        queue = payload["queue"]
        clean = {
            "body": base64.b64encode(EMPTY_BODY).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers_of(task),
            "properties": {
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": {"exchange": queue, "routing_key": queue},
            },
        }
        super().__init__(clean, channel=channel, **kwargs)

    def _task(self, raw: bytes | str) -> str:
        message = parsed(raw)
        body = message.get("body")
        properties = message.get("properties")
        if not isinstance(body, str) or not isinstance(properties, dict):
            raise NoBell("without a body or properties")
        if properties.get("body_encoding") == "base64":
            try:
                body = base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError) as error:
                raise NoBell("with a body that is none") from error
        return bell_of(
            message.get("headers"),
            body,
            content_type=message.get("content-type"),
            content_encoding=message.get("content-encoding"),
        )


class RedisChannel(redis.Channel):
    """Hands a message over as it is: kombu would decode it first, and fall over what is not JSON."""

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
            self.connection._deliver({"raw": raw, "queue": queue}, queue)  # noqa: SLF001 - as kombu's own does
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()  # type: ignore[attr-defined]


class RedisTransport(redis.Transport):
    """Kombu's, with the guard."""

    Channel = RedisChannel


class AmqpMessage(pyamqp.Message):
    """A bell made anew from the name of its task, or a message that was refused and says why."""

    refused = ""
    sample = ""

    def __init__(self, msg: Any, channel: Any = None, **kwargs: Any) -> None:
        properties = msg.properties
        headers = properties.get("application_headers")
        body = bytes(msg.body or b"")  # py-amqp gives an empty one as text
        try:
            task = bell_of(
                headers,
                body,
                content_type=properties.get("content_type"),
                content_encoding=properties.get("content_encoding"),
            )
        except NoBell as reason:
            task, self.refused = NO_TASK, str(reason)
            self.sample = sample_of(f"{sample_of(headers)} {sample_of(body)}")
        BaseMessage.__init__(
            self,
            body=EMPTY_BODY.decode(),
            channel=channel,
            delivery_tag=msg.delivery_tag,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info=msg.delivery_info,
            properties={},
            headers=headers_of(task),
            **kwargs,
        )


class AmqpChannel(pyamqp.Channel):
    """Hands a message over as it is."""

    Message = AmqpMessage

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # py-amqp would decode a body as the message says; there are encodings for which a megabyte takes minutes.
        super().__init__(*args, **kwargs | {"auto_decode": False})

    def dispatch_method(self, method_sig: tuple[int, int], payload: bytes, content: Any) -> None:
        """Without the names of an exchange and a routing key that are no text: py-amqp would fall over them."""
        if method_sig == spec.Basic.Deliver:
            names = 4 + 1 + payload[4] + 8 + 1  # after the method, the consumer's tag, the delivery's, and a bit
            try:
                payload[names:].decode()
            except UnicodeDecodeError:
                payload = payload[:names] + b"\0\0"
        super().dispatch_method(method_sig, payload, content)


def read_frames(connection: Any, callback: Any) -> Callable[[tuple[int, int, bytes]], bool]:
    """py-amqp's reader of frames, which would fall over some properties that RabbitMQ lets pass: it gets others."""
    read: Callable[[tuple[int, int, bytes]], bool] = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        if kind == CONTENT_HEADER:
            try:
                decode_properties_basic(payload, PROPERTIES_AT)
            except Exception:  # noqa: BLE001 - whatever it is: text that is none, years after 9999, too deep, cut off
                payload = payload[:PROPERTIES_AT] + INSTEAD
        return read((kind, channel, payload))

    return on_frame


class AmqpConnection(pyamqp.Connection):
    """Kombu's, with the guard."""

    Channel = AmqpChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"frame_handler": read_frames})


class AmqpTransport(pyamqp.Transport):
    """Kombu's, with the guard."""

    Connection = AmqpConnection


class AmqpSSLTransport(pyamqp.SSLTransport):
    """Kombu's, with the guard."""

    Connection = AmqpConnection
