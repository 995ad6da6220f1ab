"""The bus as a Django app."""

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate

from .checks import every_older_version_can_be_read
from .registry import write_subscriptions


class BusConfig(AppConfig):
    """Works under any package name, so that other projects can take the folder as it is."""

    name = __package__
    label = "bus"
    verbose_name = "Event bus"

    def ready(self) -> None:
        """Have every migrate write down the subscriptions that the code declares, and the events checked at start."""
        checks.register(every_older_version_can_be_read)
        post_migrate.connect(write_subscriptions, sender=self)
