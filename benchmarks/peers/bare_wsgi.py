"""The server of bare_view.py: that of ours, with nothing but that address."""

from django.conf import settings

from project.wsgi import application

__all__ = ["application"]

settings.ROOT_URLCONF = "benchmarks.peers.bare_view"
