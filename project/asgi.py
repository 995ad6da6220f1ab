"""The way in of web servers that speak ASGI."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from project.settings import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
refuse_unsafe_production()
# Each request has a thread of its own here, so a connection that outlives it is never found again: after some hundred
# requests PostgreSQL has no more. Django's manual says so under "Persistent connections".
settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
application = get_asgi_application()
