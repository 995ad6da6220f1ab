"""The WSGI application, which the web server runs."""

import os

from django.core.wsgi import get_wsgi_application

from project.checks import exit_if_unsafe

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
exit_if_unsafe()
application = get_wsgi_application()
