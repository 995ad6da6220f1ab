"""Who makes a change: the account of the request in hand, or else the operating system's user."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from project.bus.operator.audit import MAX_ACTOR_LENGTH, operating_system_user

#: In the audit, for a request without an account, such as a registration.
ANONYMOUS = "anonymous"

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def request_in_hand(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: let changes know the request that makes them. Its user is known only later, by the REST API."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return get_response(request)
        finally:
            _request.reset(token)

    return middleware


def acting_account() -> Any:
    """The account that makes the request in hand; None without a request, or without an account."""
    user = getattr(_request.get(), "user", None)
    return user if getattr(user, "pk", None) is not None else None


def acting() -> str:
    """Who makes a change, as the audit stores it."""
    if (account := acting_account()) is not None:
        return str(account.pk)
    return ANONYMOUS if _request.get() else operating_system_user()[:MAX_ACTOR_LENGTH]
