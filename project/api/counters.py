"""Counts in the cache, which all web processes share. Whoever can write to the cache can only falsify counts."""

import json
import logging
import time
from typing import Any

from django.core.cache import caches
from django.utils.crypto import salted_hmac
from redis import RedisError

logger = logging.getLogger(__name__)

#: The seconds between two warnings that counts are lost.
WARNING_INTERVAL_S = 60.0


class JSONSerializer:
    """What the cache stores is JSON. Django's own serializer unpickles, which runs whatever code others put there."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Warnings:
    """Logs at most one warning in WARNING_INTERVAL_S seconds, however many requests come."""

    def __init__(self) -> None:
        self.next_at = float("-inf")

    def warn(self, error: Exception) -> None:
        if time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + WARNING_INTERVAL_S
            logger.warning("the cache cannot be used, so no request is throttled: %s", type(error).__name__)


warnings = Warnings()


def count(*, subject: str, window: int) -> int:
    """Count one request of a subject in the present window, atomically over all processes.

    The number of the window is part of the key. So a key that lost its expiry, or that others wrote, does nothing once
    the window is over. The subject is not readable in the key.

    Args:
        window: its length in seconds.

    Returns:
        The number of requests so far; 0 while the cache is down, or if something other than a number is there.
    """
    cache = caches["throttles"]
    digest = salted_hmac("orderly.counters", subject, algorithm="sha256").hexdigest()
    key = f"{digest}:{int(time.time() // window)}"
    try:
        cache.add(key, 0, timeout=2 * window)
        return int(cache.incr(key))
    # ValueError: the key vanished since it was added.
    except (RedisError, OSError, ValueError) as error:
        warnings.warn(error)
        return 0


def remaining(window: int) -> int:
    """Return the seconds until the next window begins, at least 1."""
    return window - int(time.time() % window)
