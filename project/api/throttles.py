"""Limits how often one address may register, log in or refresh a token, so that passwords cannot be guessed."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from project.api.addresses import client_address
from project.api.counters import count, remaining
from project.errors import TooManyAttempts

#: The seconds in which THROTTLE_RATES are counted.
WINDOW_S = 60


class AddressThrottle(BaseThrottle):
    """Counts by address and by the view's `throttle_scope`. While the cache is down, nothing is refused."""

    #: The requests that an address may send in a window, by scope.
    RATES: dict[str, int] = settings.THROTTLE_RATES

    def allow_request(self, request: HttpRequest | Request, view: Any) -> bool:
        return self.allows(request, scope=view.throttle_scope)

    def allows(self, request: HttpRequest | Request, *, scope: str) -> bool:
        """Count a request, and tell whether its address may send it."""
        return count(subject=f"{scope} {client_address(request)}", window=WINDOW_S) <= self.RATES[scope]

    def wait(self) -> float:
        return remaining(WINDOW_S)


def count_log_in(request: HttpRequest, *, refusal: str) -> None:
    """Count a request of a page like a log-in to the API.

    Args:
        refusal: what the page says.

    Raises:
        TooManyAttempts: its address sent too many.
    """
    if not AddressThrottle().allows(request, scope="login"):
        raise TooManyAttempts(refusal, wait=remaining(WINDOW_S))
