"""Routes whose views fail, beside those of the project."""

from typing import Never

from django import http
from django.core import exceptions
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, multipartparser
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from project.urls import urlpatterns as project_urlpatterns


def crash(request: HttpRequest) -> Never:
    raise RuntimeError("a secret detail")


def forbid(request: HttpRequest) -> Never:
    raise PermissionDenied


class RefusingView(APIView):
    """Raises the exception of Django that the path names."""

    permission_classes = (AllowAny,)

    def get(self, request: Request, kind: str) -> Never:
        raise {**vars(exceptions), **vars(http), **vars(multipartparser)}[kind]("a secret detail")


urlpatterns = [
    path("api/v1/refuse/<str:kind>/", RefusingView.as_view()),
    path("api/v1/crash/", crash),
    path("crash/", crash),
    path("api/v1/forbid/", forbid),
    path("forbid/", forbid),
    *project_urlpatterns,
]
