"""The way in of web servers that speak ASGI."""

import os

from django.core.asgi import get_asgi_application

from project.settings import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
refuse_unsafe_production()
application = get_asgi_application()
