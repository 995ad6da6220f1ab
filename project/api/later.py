"""Answers of pages that are to be asked for again later."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from project.api.problems import later_status
from project.api.timeouts import as_busy
from project.errors import TryLater


class TryLaterPages:
    """Middleware: a TryLater that a page does not show itself, or a busy database, is 429 or 503, with Retry-After."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        later = error if isinstance(error, TryLater) else as_busy(error)
        if later is None:
            return None
        answer = render(request, "try_later.html", {"error": later}, status=later_status(later))
        answer["Retry-After"] = str(later.wait)
        return answer
