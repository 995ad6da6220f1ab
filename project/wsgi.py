"""The web server's way in."""

import os

from django.core.wsgi import get_wsgi_application

from project.settings import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
refuse_unsafe_production()
application = get_wsgi_application()
