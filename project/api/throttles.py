"""How often one address may try to register or to log in: so nobody guesses passwords by the thousand."""

import logging
from typing import Any

from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle

logger = logging.getLogger(__name__)


class AddressThrottle(ScopedRateThrottle):
    """Counts per address and the view's `throttle_scope`, in the cache; while that is down, everyone may pass."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether this request may pass."""
        try:
            return bool(super().allow_request(request, view))
        except (RedisError, OSError) as error:
            logger.warning("the cache does not answer, so nobody is throttled: %s", type(error).__name__)
            return True

    def get_cache_key(self, request: Request, view: Any) -> str:
        """The address, whoever is logged in."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
