"""The users service as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Connects the service to the bus when Django starts."""

    name = "users"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect the signals and register the handlers."""
        import_module("users.signals")
        import_module("users.tasks")
