"""Middleware that limits the size of request bodies."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from project.api.problems import PREFIX, problem_response


def limit_body(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse a body that is too large, or may be, before it is read.

    Django limits only the fields of forms. Nothing else reads from a client that may be slow:
    project/console/harness/web_worker.py has read all that is accepted here.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            detail = "The length of the body must be known in advance. Send a Content-Length header."
            return refusal(request, status=HTTPStatus.LENGTH_REQUIRED, code="length_required", detail=detail)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        # request_limits.py has refused what is no number.
        if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
            detail = f"The body has more than {limit} bytes. Split it into several requests."
            return refusal(request, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="body_too_large", detail=detail)
        return get_response(request)

    return middleware


def refusal(request: HttpRequest, *, status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    """Refuse a request: with a problem document in the API, elsewhere with a page."""
    if request.path_info.startswith(PREFIX):
        return problem_response(request, status=status, code=code, detail=detail)
    return render(request, "refused.html", {"detail": detail}, status=status)
