"""The bus's settings and their defaults. Each is read when it is used, so tests can override it.

`BUS_DATABASE`: the alias of the database that holds the bus's tables ("default"). Any other alias also needs the
`BusRouter` of routers.py in `DATABASE_ROUTERS`. The tables that handlers and publishers change must be in the same
database: an event is published, and handled exactly once, in one transaction with those changes.
`BUS_QUEUE_PREFIX`: put before the name of every queue of the bus (""). It is read when handlers are imported.
`BUS_ADMIN_PAGES`: which admin page shows the object that an event's field names, such as
`{"order_id": "orders_order"}` ({}).
"""

from collections.abc import Mapping

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS


def database() -> str:
    """The alias of the database that holds the bus's tables."""
    alias: str = getattr(settings, "BUS_DATABASE", DEFAULT_DB_ALIAS)
    return alias


def queue_prefix() -> str:
    """What every queue name begins with."""
    prefix: str = getattr(settings, "BUS_QUEUE_PREFIX", "")
    return prefix


def admin_pages() -> Mapping[str, str]:
    """The admin page, as app_model, for each event field that names an object."""
    pages: Mapping[str, str] = getattr(settings, "BUS_ADMIN_PAGES", {})
    return pages
