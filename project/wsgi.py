"""The WSGI application, which the web server runs."""

import os

from django.core.wsgi import get_wsgi_application

from project.api.timeouts import limit_web_sessions
from project.checks import exit_if_unsafe
from project.logs import escape_handlers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
exit_if_unsafe()
limit_web_sessions()
application = get_wsgi_application()
# gunicorn makes the handlers of its loggers itself, and writes paths and methods to them as they come.
escape_handlers("gunicorn.error", "gunicorn.access")
