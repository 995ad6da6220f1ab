"""The bus as a Django app."""

from importlib import import_module

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from .checks import database_is_routed, every_older_version_can_be_read
from .registry import write_subscriptions


class BusConfig(AppConfig):
    """Works under any package name, because the bus is also a package of its own."""

    name = __package__
    label = "bus"
    verbose_name = "Event bus"

    def ready(self) -> None:
        """Import every app's tasks.py, answer bells, and write subscriptions after each migrate."""
        checks.register(every_older_version_can_be_read)
        checks.register(database_is_routed)
        # It imports models, which cannot be imported before now.
        import_module(f"{self.name}.worker.consumer")
        autodiscover_modules("tasks")
        post_migrate.connect(write_subscriptions, sender=self)
