"""The bus as a Django app."""

from django.apps import AppConfig
from django.core import checks
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from .checks import every_older_version_can_be_read
from .registry import write_subscriptions


def end_idle_transactions(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """In no process may a transaction idle for more than half a minute.

    One whose machine is gone would else hold its rows until PostgreSQL finds out, for two hours by default.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '30s'")


class BusConfig(AppConfig):
    """Works under any package name, so that other projects can take the folder as it is."""

    name = __package__
    label = "bus"
    verbose_name = "Event bus"

    def ready(self) -> None:
        """Have every migrate write down the subscriptions that the code declares, and the events checked at start."""
        checks.register(every_older_version_can_be_read)
        connection_created.connect(end_idle_transactions)
        post_migrate.connect(write_subscriptions, sender=self)
