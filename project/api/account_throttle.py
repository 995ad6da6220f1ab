"""Limits how many unsafe calls one account may send a minute, to all views together."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from project.api.counters import count, remaining
from project.errors import QuotaExceeded

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
        limit = settings.UNSAFE_CALLS_PER_MINUTE
        if count(subject=f"unsafe calls {request.user.pk}", window=WINDOW_S) > limit:
            wait = remaining(WINDOW_S)
            detail = (
                f"This account has sent {limit} POST, PUT, PATCH and DELETE requests within a minute, which is the "
                f"maximum. Wait {wait} seconds, and send fewer."
            )
            raise QuotaExceeded(detail, code="too_many_unsafe_calls", wait=wait)
        return True
