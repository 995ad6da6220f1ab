"""The guard: what reaches a worker from the broker is an empty bell for a task of ours, or is refused and counted.

Celery trusts its messages: one with a broken body, a missing header or an odd time limit ends a worker's main process,
and again at each restart. So nothing of a message is believed but the name of its task. A message that is no bell is
acknowledged, counted by reason with a sample, and forgotten; of a bell, Celery is given a copy that the guard makes.
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
from django.db import DatabaseError, InterfaceError, connection

from .registry import handlers

logger = logging.getLogger(__name__)

#: Bytes of the largest message that is looked into; a bell has fewer than 1,000.
LARGEST = 16_384
#: Characters of a sample.
SAMPLE = 500
#: Seconds between two writes of what was refused.
FLUSH = 1.0
#: Seconds until a database that failed is asked again; a worker does nothing else while it asks.
PAUSE = 10.0

#: The content type that is given to a message whose properties cannot be read.
UNREADABLE = "unreadable"
EMPTY_BODY = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'


class NoBell(Exception):
    """A message is refused; the text is the reason, one of few."""


@dataclass(slots=True)
class _Refused:
    count: int = 0
    sample: str = ""


class Refusals:
    """What this process refused and has not written down yet, by queue and reason, which are few."""

    def __init__(self) -> None:
        self._waiting: defaultdict[tuple[str, str], _Refused] = defaultdict(_Refused)
        self._pauses_until = 0.0

    def add(self, *, queue: str, reason: str, sample: str) -> None:
        """Count one."""
        refused = self._waiting[queue, reason]
        refused.count += 1
        refused.sample = sample

    def flush(self, *, last: bool = False) -> None:
        """Write down what was counted, in one statement. A database that fails is asked again after a pause.

        Args:
            last: the process ends: do not pause.
        """
        if not self._waiting or (time.monotonic() < self._pauses_until and not last):
            return
        # In one order, so that two workers never wait for each other's rows.
        rows = sorted((*key, refused.count, refused.sample) for key, refused in self._waiting.items())
        try:
            with connection.cursor() as cursor:
                cursor.execute(_COUNT.format(rows=", ".join(["(%s, %s, %s, %s)"] * len(rows))), sum(rows, ()))
        except (DatabaseError, InterfaceError) as error:
            self._pauses_until = time.monotonic() + PAUSE
            total = sum(refused.count for refused in self._waiting.values())
            logger.warning("%d refused messages are not written down yet: %s", total, type(error).__name__)
            return
        finally:
            if not connection.in_atomic_block:  # as it is in tests alone
                connection.close()  # children are forked from this process, and must inherit no session
        self._waiting.clear()
        for queue, reason, count, _ in rows:
            logger.warning("%d messages on the queue %s were refused: %s", count, queue, reason)


refusals = Refusals()


def sample_of(raw: object) -> str:
    """The beginning of a message, with whatever is not printable escaped."""
    text = raw[: SAMPLE * 2] if isinstance(raw, (bytes, str)) else repr(raw)[: SAMPLE * 2]
    return ascii(text)[:SAMPLE]


def bell_of(headers: object, body: object, *, content_type: object, content_encoding: object) -> str:
    """The name of the task that a message rings.

    Raises:
        NoBell: it is none; the reason is one of few, and holds nothing of the message.
    """
    if content_type == UNREADABLE:
        raise NoBell("with properties that cannot be read")
    if not isinstance(headers, Mapping):
        raise NoBell("without headers")
    task = headers.get("task")
    if not isinstance(task, str):
        raise NoBell("without a task")
    if task not in handlers:
        raise NoBell("for an unknown task")
    if content_type != "application/json" or content_encoding not in ("utf-8", "UTF-8"):
        raise NoBell("of another content type than JSON")
    if headers.get("compression"):
        raise NoBell("compressed")
    if not isinstance(headers.get("id"), str) or len(headers["id"]) > 100:
        raise NoBell("without an id")
    if any(headers.get(name) for name in ("eta", "expires", "retries", "group", "replaced_task_nesting")):
        raise NoBell("delayed, expiring, retried or grouped")
    if headers.get("timelimit") not in (None, [None, None], (None, None)):
        raise NoBell("with a time limit")
    if not isinstance(body, (bytes, str)) or len(body) > LARGEST:
        raise NoBell("too large")
    try:
        args, kwargs, embed = msgspec.json.decode(body, type=tuple[list[Any], dict[str, Any], dict[str, Any]])
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NoBell("with a body that is none") from error
    if args or kwargs or any(embed.values()):
        raise NoBell("with arguments")
    return task


def headers_of(task: str) -> dict[str, Any]:
    """The headers of an empty bell, made here."""
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


def parsed(raw: bytes | str) -> dict[str, Any]:
    """A Redis message as the mapping that Celery makes of one.

    Raises:
        NoBell: it is none.
    """
    if len(raw) > LARGEST:
        raise NoBell("too large")
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise NoBell("not JSON") from error
    if not isinstance(message, dict):
        raise NoBell("not a message")
    return message


_COUNT = """
    INSERT INTO bus_refusedmessage (queue, reason, count, sample) VALUES {rows}
    ON CONFLICT (queue, reason) DO UPDATE
    SET count = bus_refusedmessage.count + excluded.count, sample = excluded.sample, last_at = excluded.last_at
"""
