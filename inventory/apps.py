"""The Django app of the inventory service."""

from importlib import import_module

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"
    verbose_name = "Inventory"

    def ready(self) -> None:
        # Both modules import the models, so they cannot be imported earlier.
        import_module("inventory.signals")
        import_module("inventory.tasks")
