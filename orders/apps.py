"""The orders service as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Connects the service to the bus when Django starts."""

    name = "orders"

    def ready(self) -> None:
        """Register the handlers."""
        import_module("orders.tasks")
