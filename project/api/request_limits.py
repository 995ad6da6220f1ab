"""Middleware that refuses malformed and oversized requests before anything reads them."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import BadRequest, TooManyFieldsSent
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.defaults import bad_request

from project.api.problems import PREFIX, problem_response

NUL = "\0"
#: The longest path with query string, in bytes. The web server's own limit is higher, so that the API answers.
MAX_URL_LENGTH = 4096


def limit_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refuse a request that Django would otherwise refuse in the middle of a view, or fail on."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        in_api = request.path_info.startswith(PREFIX)
        for status, code, detail in faults(request, in_api=in_api):
            if in_api:
                return problem_response(request, status=status, code=code, detail=detail)
            # Not an exception, because with DEBUG on Django's page about it fails on the parameters again.
            return bad_request(request, exception=BadRequest(detail))
        response = get_response(request)
        if in_api and "Allow" in response.headers:
            # The REST framework lists it although DEFAULT_METADATA_CLASS is None.
            response["Allow"] = response["Allow"].removesuffix(", OPTIONS")
        return response

    return middleware


def faults(request: HttpRequest, *, in_api: bool) -> Iterator[tuple[HTTPStatus, str, str]]:
    """Yield status, code and detail of each fault."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        detail = "The header Content-Length is not a number. Send the number of bytes of the body."
        yield HTTPStatus.BAD_REQUEST, "invalid_length", detail
    try:
        request.GET  # noqa: B018 - parses the query string
    except TooManyFieldsSent:
        detail = f"The URL has more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} parameters. Send fewer."
        yield HTTPStatus.BAD_REQUEST, "too_many_parameters", detail
    # PostgreSQL's texts cannot hold it. Filters of the API refuse it themselves, and name the field.
    query = "" if in_api else request.META.get("QUERY_STRING", "").replace("%00", NUL)
    if any(NUL in text for text in (request.path_info, query, *request.COOKIES.values())):
        yield HTTPStatus.BAD_REQUEST, "nul_byte", "The address or a cookie has a NUL byte. Remove it."
    if in_api and len(request.get_full_path()) > MAX_URL_LENGTH:
        detail = f"The URL has more than {MAX_URL_LENGTH} bytes. Send fewer or shorter parameters."
        yield HTTPStatus.REQUEST_URI_TOO_LONG, "url_too_long", detail
