"""Routes that fail in ways that the project's own should not."""

from typing import Never

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import path

from project.urls import urlpatterns as ours


def crash(request: HttpRequest) -> Never:
    raise RuntimeError("a secret detail")


def forbid(request: HttpRequest) -> Never:
    raise PermissionDenied


urlpatterns = [
    path("api/v1/crash/", crash),
    path("crash/", crash),
    path("api/v1/forbid/", forbid),
    path("forbid/", forbid),
    *ours,
]
