"""The console as a Django app: for its commands and pages; it has no tables."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.dispatch import receiver


class ConsoleConfig(AppConfig):
    name = "project.console"
    label = "console"
    verbose_name = "Console"

    def ready(self) -> None:
        # Registers the checks for `manage.py check --deploy`.
        import_module("project.checks")
        # The permissions of the last app with tables are the last to be made.
        last = [config for config in apps.get_app_configs() if config.models_module][-1]
        # Its models can be imported only now.
        post_migrate.connect(import_module("project.console.groups").make_groups, sender=last)


# Connected when apps are loaded, so that a worker's shorter limit (project/bus/worker/sessions.py) is set after it.
@receiver(connection_created)
def end_idle_transactions(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """Let PostgreSQL end transactions that are idle for half a minute, in every process.

    Otherwise the transaction of a machine that is gone holds its rows until PostgreSQL notices, by default after two
    hours. Not a start-up option of the connection, because some poolers refuse those.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '30s'")
