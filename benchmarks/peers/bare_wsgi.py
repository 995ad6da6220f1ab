"""The WSGI application of bare_view.py: ours, with only that URL."""

from django.conf import settings

from project.wsgi import application

__all__ = ["application"]

settings.ROOT_URLCONF = "benchmarks.peers.bare_view"
