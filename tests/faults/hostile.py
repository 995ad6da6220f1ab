"""Messages that are not bells: a corpus for each broker, and a way to put any message on a queue unchanged."""

import base64
import copy
import json
import pickle
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp

from tests.faults.brokers import Broker, RabbitMQ, Redis

TASK = "inventory.reserve_stock"
NO_CANVAS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
HUGE_BYTES = 50_000_000


def bell() -> dict[str, Any]:
    """A bell as Celery puts it on Redis, with a body that is not encoded yet."""
    identity = str(uuid.uuid4())
    return {
        "body": [[], {}, dict(NO_CANVAS)],
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TASK,
            "id": identity,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": identity,
            "parent_id": None,
            "argsrepr": "()",
            "kwargsrepr": "{}",
            "origin": "gen1@host",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        "properties": {
            "correlation_id": identity,
            "reply_to": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "inventory"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def encoded(message: Any) -> bytes:
    """A message as the bytes that Redis keeps."""
    if isinstance(message, dict) and isinstance(message.get("body"), list):
        message["body"] = base64.b64encode(json.dumps(message["body"]).encode()).decode()
    return json.dumps(message).encode()


def _bell_with(path: str, value: Any) -> dict[str, Any]:
    """A bell with another value in one place; Ellipsis deletes the place."""
    message = copy.deepcopy(bell())
    *parents, last = path.split(".")
    place = message
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return message


#: What is wrong with a message of any broker: a place in the bell, and its value.
BROKEN_PARTS: dict[str, tuple[str, Any]] = {
    "no headers": ("headers", {}),
    "no task": ("headers.task", ...),
    "the task is null": ("headers.task", None),
    "the task is a list": ("headers.task", ["inventory.reserve_stock"]),
    "the task is a mapping": ("headers.task", {"a": 1}),
    "the task is a number": ("headers.task", 7),
    "an unknown task": ("headers.task", "os.system"),
    "a task of Celery's own": ("headers.task", "celery.backend_cleanup"),
    "the unlocking of a chord": ("headers.task", "celery.chord_unlock"),
    "a task name of 100 kB": ("headers.task", "x" * 100_000),
    "no id": ("headers.id", ...),
    "the id is null": ("headers.id", None),
    "the id is a mapping": ("headers.id", {}),
    "an id of 100 kB": ("headers.id", "i" * 100_000),
    "an ETA": ("headers.eta", "2026-11-24T00:00:00+00:00"),
    "an absurd ETA": ("headers.eta", "999999-99-99T99:99:99"),
    "the ETA is a number": ("headers.eta", 2**62),
    "an expiry in the past": ("headers.expires", "2020-01-01T00:00:00"),
    "an absurd expiry": ("headers.expires", "tomorrow"),
    "an absurd time limit": ("headers.timelimit", ["a", "b"]),
    "a time limit of one second": ("headers.timelimit", [1, 1]),
    "the time limit is a number": ("headers.timelimit", 5),
    "the time limit is too long": ("headers.timelimit", [1, 2, 3]),
    "a retry": ("headers.retries", 7),
    "retries are text": ("headers.retries", "many"),
    "a group": ("headers.group", "g"),
    "compressed": ("headers.compression", "application/x-gzip"),
    "an unknown compression": ("headers.compression", "nonsense"),
    "yaml": ("content-type", "application/x-yaml"),
    "msgpack": ("content-type", "application/x-msgpack"),
    "pickle": ("content-type", "application/x-python-serialize"),
    "no content type": ("content-type", None),
    "an unknown content type": ("content-type", "text/nonsense"),
    "no encoding": ("content-encoding", None),
    "an unknown encoding": ("content-encoding", "klingon"),
    "arguments": ("body", [[1, 2], {}, NO_CANVAS]),
    "keyword arguments": ("body", [[], {"handler": "x"}, NO_CANVAS]),
    "a callback": ("body", [[], {}, NO_CANVAS | {"callbacks": [{"task": "os.system", "args": ["true"]}]}]),
    "a chain": ("body", [[], {}, NO_CANVAS | {"chain": [{"task": "orders.confirm_orders"}]}]),
    "a chord": ("body", [[], {}, NO_CANVAS | {"chord": {"task": "celery.accumulate"}}]),
    "a body too short": ("body", [[], {}]),
    "a body of another shape": ("body", [{}, [], []]),
    "a remote-control command": ("body", [{"method": "shutdown", "arguments": {}, "destination": None}]),
    "a message of an old protocol": (
        "body",
        [{"task": "inventory.reserve_stock", "id": "1", "args": [], "kwargs": {}}],
    ),
}


def redis_corpus() -> Iterator[tuple[str, bytes]]:
    """The corpus for Redis: what is wrong, and the item for the queue's list."""
    for name, (path, value) in BROKEN_PARTS.items():
        yield name, encoded(_bell_with(path, value))
    yield "bad base64", encoded(_bell_with("body", "!!! this is not base64 !!!"))
    yield "base64 of a wrong length", encoded(_bell_with("body", "abcde"))
    yield "a body that is a number", encoded(_bell_with("body", 5))
    yield "a body that is pickle", encoded(_bell_with("body", base64.b64encode(pickle.dumps({"a": 1})).decode()))
    yield "an unknown body encoding", encoded(_bell_with("properties.body_encoding", "rot13"))
    yield (
        "a compression bomb",
        encoded(
            _bell_with("headers.compression", "zlib")
            | {"body": base64.b64encode(zlib.compress(b"0" * 5_000_000)).decode(), "content-type": "application/json"}
        ),
    )
    yield "a body with half a surrogate pair", encoded(_bell_with("properties", {}) | {"body": "\ud800"})
    yield "no body", encoded(_bell_with("body", ...))
    yield "no properties", encoded(_bell_with("properties", ...))
    yield "properties are null", encoded(_bell_with("properties", None))
    yield "headers are null", encoded(_bell_with("headers", None))
    yield "headers are a list", encoded(_bell_with("headers", ["task"]))
    for name, raw in {
        "nothing": b"",
        "a number": b"42",
        "null": b"null",
        "a list": b"[]",
        "text": b'"inventory.reserve_stock"',
        "not JSON": b"{'task': 1}",
        "truncated JSON": b'{"body": "W1t',
        "not a number": b'{"body": NaN}',
        "invalid UTF-8": b"\xff\xfe\x00\x80",
        "zeros": bytes(1000),
        "deep nesting": b"[" * 10_000,
        "deep objects": b'{"a":' * 3_000,
        "raw pickle": pickle.dumps({"task": TASK}),
        "a huge number": b"1" * 10_000,
        "50 MB": b'{"body": "' + b"a" * HUGE_BYTES + b'"}',
    }.items():
        yield name, raw


class _Code:
    """Its pickle makes a file where it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


def cache_values(proof: Path) -> dict[str, bytes]:
    """What is wrong with the value of a key in the cache, and the value; those that are code make the file."""
    return {
        **{f"pickle {number}": pickle.dumps(_Code(proof), number) for number in range(pickle.HIGHEST_PROTOCOL + 1)},
        "a list in a pickle": pickle.dumps([1.0]),
        "a pickle in base64": base64.b64encode(pickle.dumps(_Code(proof))),
        "a compressed pickle": zlib.compress(pickle.dumps(_Code(proof))),
        "nothing": b"",
        "text": b"many",
        "JSON": b'{"a": [1]}',
        "deep nesting": b"[" * 10_000,
        "invalid UTF-8": b"\xff\xfe\x00\x80",
        "zeros": bytes(1000),
        "a fraction": b"1.5",
        "not a number": b"NaN",
        "a negative number": b"-7",
        "the largest number": b"9223372036854775807",
        "a huge number": b"1" * 10_000,
    }


def rabbitmq_corpus() -> Iterator[tuple[str, "amqp.Message"]]:
    """The corpus for RabbitMQ: what is wrong, and the message."""
    for name, (path, value) in BROKEN_PARTS.items():
        yield name, amqp_message(_bell_with(path, value))
    plain = {"content_type": "application/json", "content_encoding": "utf-8"}
    headers = bell()["headers"]
    for name, body in {
        "an empty body": b"",
        "a body that is not JSON": b"{'a': 1",
        "a body of zeros": bytes(1000),
        "invalid UTF-8": b"\xff\xfe\x00\x80",
        "pickle": pickle.dumps({"a": 1}),
        "deep nesting": b"[" * 5_000,
        "50 MB": b'[[], {}, {"a": "' + b"a" * HUGE_BYTES + b'"}]',
    }.items():
        yield name, amqp.Message(body, application_headers=headers, **plain)
    yield "no headers at all", amqp.Message(b"[]", **plain)
    yield "nothing at all", amqp.Message(b"")
    yield (
        "a compression bomb",
        amqp.Message(zlib.compress(b"0" * 5_000_000), application_headers=headers | {"compression": "zlib"}, **plain),
    )
    yield (
        "odd types in the headers",
        amqp.Message(
            b"[]", application_headers={"task": True, "id": -1.5, "timelimit": [None, [1, {"a": b"bytes"}]]}, **plain
        ),
    )


def amqp_message(message: dict[str, Any]) -> "amqp.Message":
    """A bell of Redis, intact or not, as a message for RabbitMQ."""
    return amqp.Message(
        json.dumps(message["body"]).encode(),
        application_headers=message["headers"],
        content_type=message["content-type"],
        content_encoding=message["content-encoding"],
    )


def publish_corpus(broker: Broker, *, queue: str, largest: int) -> int:
    """Put the corpus of a broker on a queue, without messages of more bytes than this; the number of messages."""
    if isinstance(broker, RabbitMQ):
        messages = [message for _, message in rabbitmq_corpus() if len(message.body) <= largest]
        with open_channel(broker) as channel:
            for message in messages:
                # Confirmed: a connection that closes loses what a quorum queue has not accepted yet.
                channel.basic_publish_confirm(message, routing_key=queue)
        return len(messages)
    assert isinstance(broker, Redis)
    items = [item for _, item in redis_corpus() if len(item) <= largest]
    broker.client.lpush(queue, *items)
    return len(items)


@contextmanager
def open_channel(broker: RabbitMQ) -> Iterator["amqp.Channel"]:
    """A channel without kombu and Celery, to publish messages unchanged."""
    given = urlsplit(broker.direct_url)
    assert given.username
    assert given.password
    connection = amqp.Connection(
        f"{given.hostname}:{given.port}",
        userid=given.username,
        password=given.password,
        virtual_host=given.path.removeprefix("/"),
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        connection.close()
