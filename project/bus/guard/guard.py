"""The guard: a message on a queue of the bus is an empty bell for a known handler, or it is refused and counted.

Celery trusts its messages: one with a broken body, a missing header or an odd time limit ends a worker's main process,
and again at each restart. So the guard believes nothing of a message but the name of its task. A message that is not a
bell is acknowledged, counted by reason with a sample, and forgotten. Celery gets a copy of a bell, made by the guard.
"""

import json
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError

from ..backends import backend, bus_connection
from ..errors import MessageRefused
from ..registry import handlers

logger = logging.getLogger(__name__)

#: Larger messages are not parsed. A bell has fewer than 1,000 bytes.
MAX_MESSAGE_BYTES = 16_384
MAX_SAMPLE_LENGTH = 500
#: Seconds between two writes of the counts.
FLUSH_INTERVAL_S = 1.0
#: Seconds until a database that failed is asked again, because a worker does nothing else while it asks.
DATABASE_RETRY_S = 10.0

#: The content type that the guard gives to a message whose properties cannot be read.
UNREADABLE = "unreadable"
#: The task of a refused message. It never runs, because GuardedConsumer looks at `refused` first.
REFUSED_TASK = "refused"
EMPTY_BODY = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'


@dataclass(slots=True)
class _Refused:
    count: int = 0
    sample: str = ""


class Refusals:
    """What this process refused and has not written to the database yet, by queue and reason, which are few."""

    def __init__(self) -> None:
        self._unwritten: defaultdict[tuple[str, str], _Refused] = defaultdict(_Refused)
        self._retry_at = 0.0

    def add(self, *, queue: str, reason: str, sample: str) -> None:
        refused = self._unwritten[queue, reason]
        refused.count += 1
        refused.sample = sample

    def flush(self, *, last: bool = False) -> None:
        """Write the counts in one statement. After a failure of the database, wait before the next try.

        Args:
            last: the process ends: do not wait.
        """
        if not self._unwritten or (time.monotonic() < self._retry_at and not last):
            return
        rows = [(*key, refused.count, refused.sample) for key, refused in self._unwritten.items()]
        try:
            if not bus_connection().in_atomic_block:
                backend().limit_session()  # a locked row must not stop the main process for ever
            backend().count_refused(rows)
        except (DatabaseError, InterfaceError) as error:
            self._retry_at = time.monotonic() + DATABASE_RETRY_S
            total = sum(refused.count for refused in self._unwritten.values())
            logger.warning("%d refused messages are not written yet: %s", total, type(error).__name__)
            return
        finally:
            if not bus_connection().in_atomic_block:  # only tests are in one
                bus_connection().close()  # children are forked from this process, and must inherit no session
        self._unwritten.clear()
        for queue, reason, count, _ in sorted(rows):
            logger.warning("%d messages on the queue %s were refused: %s", count, queue, reason)


refusals = Refusals()


def sample(raw: object) -> str:
    """The beginning of a message, with unprintable characters escaped."""
    text = raw[: MAX_SAMPLE_LENGTH * 2] if isinstance(raw, (bytes, str)) else repr(raw)[: MAX_SAMPLE_LENGTH * 2]
    return ascii(text)[:MAX_SAMPLE_LENGTH]


def bell_task(headers: object, body: object, *, content_type: object, content_encoding: object) -> str:
    """The name of the task that a message rings.

    Raises:
        MessageRefused: the message is not a bell.
    """
    if content_type == UNREADABLE:
        raise MessageRefused("with properties that cannot be read")
    if not isinstance(headers, Mapping):
        raise MessageRefused("without headers")
    task = headers.get("task")
    if not isinstance(task, str):
        raise MessageRefused("without a task")
    if task not in handlers:
        raise MessageRefused("for an unknown task")
    if content_type != "application/json" or content_encoding not in ("utf-8", "UTF-8"):
        raise MessageRefused("of another content type than JSON")
    if headers.get("compression"):
        raise MessageRefused("compressed")
    if not isinstance(headers.get("id"), str) or len(headers["id"]) > 100:
        raise MessageRefused("without an id")
    if any(headers.get(name) for name in ("eta", "expires", "retries", "group", "replaced_task_nesting")):
        raise MessageRefused("delayed, expiring, retried or grouped")
    if headers.get("timelimit") not in (None, [None, None], (None, None)):
        raise MessageRefused("with a time limit")
    if not isinstance(body, (bytes, str)) or len(body) > MAX_MESSAGE_BYTES:
        raise MessageRefused("too large")
    try:
        args, kwargs, embed = msgspec.json.decode(body, type=tuple[list[Any], dict[str, Any], dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise MessageRefused("with an unreadable body") from error
    if args or kwargs or any(embed.values()):
        raise MessageRefused("with arguments")
    return task


def bell_headers(task: str) -> dict[str, Any]:
    """The headers of an empty bell."""
    identity = str(uuid.uuid4())
    return {
        "lang": "py",
        "task": task,
        "id": identity,
        "root_id": identity,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "timelimit": [None, None],
        "eta": None,
        "expires": None,
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "ignore_result": True,
    }


def parse_message(raw: bytes | str) -> dict[str, Any]:
    """Parse a Redis message into the mapping that kombu makes of it.

    Raises:
        MessageRefused: it is too large, or not a JSON object.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MessageRefused("too large")
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MessageRefused("not JSON") from error
    if not isinstance(message, dict):
        raise MessageRefused("not a message")
    return message
