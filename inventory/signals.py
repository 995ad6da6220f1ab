"""Signals of inventory's models, which publish events."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from inventory.models import Location, Product
from inventory.operations.catalogue import product_changed
from project.audit.recording import audited
from project.bus import publish

audited(Product, fields=("name", "price", "currency", "active"), key="sku")
audited(Location, fields=("name", "priority", "active"), key="code")


@receiver(post_save, sender=Product)
def announce_product(instance: Product, raw: bool, **_: object) -> None:
    """Publish each saved version of a product, except one loaded from a fixture (raw)."""
    if not raw:
        publish(product_changed(instance))
