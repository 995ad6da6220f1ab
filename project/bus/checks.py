"""System checks of the bus. Commands and workers refuse to start on an error."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import router

from . import conf
from .events import event_types
from .routers import BusRouter


def every_older_version_can_be_read(**_: Any) -> list[CheckMessage]:
    """An event of version n needs an upcaster from each version before, because older events may still be owed."""
    return [
        Error(
            f"{event_type.__name__} is version {event_type.wire_version} and has no upcaster from version {version}.",
            hint=f"Write a function with @upcast({event_type.__name__}, from_version={version}) beside the event.",
            obj=event_type.wire_name,
            id="bus.E001",
        )
        for event_type in event_types()
        for version in range(1, event_type.wire_version)
        if version not in event_type.upcasters
    ]


def database_is_routed(**_: Any) -> list[CheckMessage]:
    """BUS_DATABASE names a database that exists and that the bus's models are routed to."""
    alias = conf.database()
    if alias not in settings.DATABASES:
        return [
            Error(
                f"BUS_DATABASE is {alias!r}, which DATABASES does not have.",
                hint=f"Set it to one of: {', '.join(settings.DATABASES)}.",
                id="bus.E002",
            )
        ]
    if router.db_for_write(apps.get_model("bus", "Delivery")) != alias:
        return [
            Error(
                f"BUS_DATABASE is {alias!r}, and DATABASE_ROUTERS routes the bus's tables elsewhere.",
                hint=f"Put '{BusRouter.__module__}.{BusRouter.__qualname__}' first in DATABASE_ROUTERS.",
                id="bus.E003",
            )
        ]
    return []
