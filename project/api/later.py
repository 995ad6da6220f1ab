"""Answers of pages that are to be asked for again later."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from project.api.problems import later_status
from project.errors import TryLater


class TryLaterPages:
    """Middleware: a TryLater that a page does not show itself is 429 or 503, with Retry-After."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, TryLater):
            return None
        return HttpResponse(
            f"{error} Nothing was changed: go back, and try again in {error.wait} seconds.\n",
            status=later_status(error),
            content_type="text/plain; charset=utf-8",
            headers={"Retry-After": str(error.wait)},
        )
