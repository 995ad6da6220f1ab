"""Kombu's transport for RabbitMQ, with the guard where a message comes in."""

from collections.abc import Callable
from typing import Any

from amqp import spec
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic
from kombu.message import Message as BaseMessage
from kombu.transport import pyamqp

from ...errors import MessageRefused
from ...registry import bus_queues
from ..guard import EMPTY_BODY, REFUSED_TASK, UNREADABLE, bell_headers, bell_task, sample

#: AMQP's number of the frame with a message's properties, and their offset behind class, weight and size.
CONTENT_HEADER, PROPERTIES_AT = 2, 12
#: Properties with nothing but a content type.
UNREADABLE_PROPERTIES = b"\x80\x00" + bytes([len(UNREADABLE)]) + UNREADABLE.encode()


class AmqpMessage(pyamqp.Message):
    """A bell, made anew from the name of its task; or a refused message, which says why."""

    refused = ""
    sample = ""

    def __init__(self, msg: Any, channel: Any = None, *, queue: str, **kwargs: Any) -> None:
        self.queue = queue
        properties = msg.properties
        headers = properties.get("application_headers")
        body = bytes(msg.body or b"")  # py-amqp gives an empty one as text
        try:
            task = bell_task(
                headers,
                body,
                content_type=properties.get("content_type"),
                content_encoding=properties.get("content_encoding"),
            )
        except MessageRefused as reason:
            task, self.refused = REFUSED_TASK, str(reason)
            self.sample = sample(f"{sample(headers)} {sample(body)}")
        BaseMessage.__init__(
            self,
            body=EMPTY_BODY.decode(),
            channel=channel,
            delivery_tag=msg.delivery_tag,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info=msg.delivery_info,
            properties={},
            headers=bell_headers(task),
            **kwargs,
        )


class AmqpChannel(pyamqp.Channel):
    """Passes on messages undecoded, and knows from which queue each one comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # py-amqp would decode a body as the message says; there are encodings for which a megabyte takes minutes.
        super().__init__(*args, **kwargs | {"auto_decode": False})
        self._consumed: dict[str, str] = {}

    def basic_consume(self, queue: str = "", consumer_tag: str = "", *args: Any, **kwargs: Any) -> Any:
        """Remember the queue by its consumer: a message's own routing key can be anything."""
        self._consumed[consumer_tag] = queue
        return super().basic_consume(queue, consumer_tag, *args, **kwargs)

    def message_to_python(self, raw_message: Any) -> Any:
        """Guard the messages of the bus's queues, and leave the others to kombu."""
        queue = self._consumed.get((raw_message.delivery_info or {}).get("consumer_tag", ""), "")
        if queue in bus_queues:
            return AmqpMessage(raw_message, channel=self, queue=queue)
        return super().message_to_python(raw_message)

    def dispatch_method(self, method_sig: tuple[int, int], payload: bytes, content: Any) -> None:
        """Drop an exchange's name and a routing key that are not text: py-amqp would crash on them."""
        if method_sig == spec.Basic.Deliver:
            names = 4 + 1 + payload[4] + 8 + 1  # after the method, the consumer's tag, the delivery's, and a bit
            try:
                payload[names:].decode()
            except UnicodeDecodeError:
                payload = payload[:names] + b"\0\0"
        super().dispatch_method(method_sig, payload, content)


def read_frames(connection: Any, callback: Any) -> Callable[[tuple[int, int, bytes]], bool]:
    """Replace properties that RabbitMQ accepts and py-amqp's reader of frames would crash on."""
    read: Callable[[tuple[int, int, bytes]], bool] = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        if kind == CONTENT_HEADER:
            try:
                decode_properties_basic(payload, PROPERTIES_AT)
            except Exception:  # noqa: BLE001 - any error: invalid text, years after 9999, too deep, cut off
                payload = payload[:PROPERTIES_AT] + UNREADABLE_PROPERTIES
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
