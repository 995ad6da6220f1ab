"""Routes whose views fail, beside those of the project."""

from typing import Never

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import path

from project.urls import urlpatterns as project_urlpatterns


def crash(request: HttpRequest) -> Never:
    raise RuntimeError("a secret detail")


def forbid(request: HttpRequest) -> Never:
    raise PermissionDenied


urlpatterns = [
    path("api/v1/crash/", crash),
    path("crash/", crash),
    path("api/v1/forbid/", forbid),
    path("forbid/", forbid),
    *project_urlpatterns,
]
