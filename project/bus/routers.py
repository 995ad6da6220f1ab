"""A database router that sends the bus's tables to `BUS_DATABASE`."""

from typing import Any

from django.db import models

from . import conf

APP_LABEL = "bus"


class BusRouter:
    """Add it to `DATABASE_ROUTERS` when `BUS_DATABASE` is not the default database."""

    def db_for_read(self, model: type[models.Model], **_: Any) -> str | None:
        return self._alias(model)

    def db_for_write(self, model: type[models.Model], **_: Any) -> str | None:
        return self._alias(model)

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        return db == conf.database() if app_label == APP_LABEL else None

    def _alias(self, model: type[models.Model]) -> str | None:
        return conf.database() if model._meta.app_label == APP_LABEL else None
