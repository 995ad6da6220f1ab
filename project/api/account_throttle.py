"""Limits how many unsafe calls one account may send a minute, to all views together."""

import logging
import time
from math import ceil
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from project.errors import QuotaExceeded

logger = logging.getLogger(__name__)

WINDOW_S = 60


class AccountThrottle(BaseThrottle):
    """Counts the unsafe calls of an account in each minute. While the cache is down, nothing is refused."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call.

        Raises:
            QuotaExceeded: the account has sent too many in this minute.
        """
        if request.method in SAFE_METHODS or request.user.pk is None:
            return True
        window, passed_s = divmod(time.time(), WINDOW_S)
        limit = settings.UNSAFE_CALLS_PER_MINUTE
        if count(f"unsafe_calls_{request.user.pk}_{window:.0f}") > limit:
            wait_s = ceil(WINDOW_S - passed_s)
            detail = (
                f"This account has sent {limit} POST, PUT, PATCH and DELETE requests within a minute, which is the "
                f"maximum. Wait {wait_s} seconds, and send fewer."
            )
            raise QuotaExceeded(detail, code="too_many_unsafe_calls", retry_after_s=wait_s)
        return True


def count(key: str) -> int:
    """Add one to a counter, and return it; 0 while the cache is down."""
    try:
        # Each is atomic, so parallel requests are all counted.
        cache.add(key, 0, timeout=2 * WINDOW_S)
        return int(cache.incr(key))
    except ValueError:  # a full cache dropped the counter in between
        return 1
    except (RedisError, OSError) as error:
        logger.warning("the cache does not answer, so no call is counted: %s", type(error).__name__)
        return 0
