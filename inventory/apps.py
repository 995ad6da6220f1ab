"""The inventory service as a Django app."""

from importlib import import_module

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Has the service's signals and handlers known to every process."""

    name = "inventory"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Connect the signals and register the handlers; both modules need the models, so not before."""
        import_module("inventory.signals")
        import_module("inventory.tasks")
