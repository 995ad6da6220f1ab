"""The ASGI application, for web servers that speak ASGI."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from project.api.timeouts import limit_web_sessions
from project.checks import exit_if_unsafe
from project.logs import escape_handlers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
exit_if_unsafe()
# Under ASGI each request has its own thread, so no later request finds a persistent connection again: after a few
# hundred requests PostgreSQL runs out of connections. See "Persistent connections" in Django's documentation.
settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
limit_web_sessions()
application = get_asgi_application()
# gunicorn makes the handlers of its loggers itself, and writes paths and methods to them as they come.
escape_handlers("gunicorn.error", "gunicorn.access")
