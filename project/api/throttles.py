"""Limits how often one address may register or log in, so that passwords cannot be guessed."""

import logging
from typing import Any

from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle

logger = logging.getLogger(__name__)


class AddressThrottle(ScopedRateThrottle):
    """Counts by address and by the view's `throttle_scope`. While the cache is down, nothing is refused."""

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            return bool(super().allow_request(request, view))
        except (RedisError, OSError) as error:
            logger.warning("the cache does not answer, so no request is throttled: %s", type(error).__name__)
            return True

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
