"""Middleware that refuses NUL bytes, which PostgreSQL's texts cannot hold."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from project.api.problems import PREFIX

NUL = "\0"


def refuse_nul_bytes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer 400 to a NUL byte in an address or a cookie, before a view asks the database for it.

    Filters of the API refuse it themselves, and name the field.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        query = "" if request.path_info.startswith(PREFIX) else request.META.get("QUERY_STRING", "").replace("%00", NUL)
        if any(NUL in text for text in (request.path_info, query, *request.COOKIES.values())):
            raise BadRequest("NUL byte")
        return get_response(request)

    return middleware
