"""Model change -> publish()."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from inventory.models import Product
from inventory.operations.catalogue import announcement
from project.bus.outbox import publish


@receiver(post_save, sender=Product)
def announce_product(instance: Product, raw: bool, **_: object) -> None:
    """Publish each saved version of a product."""
    if not raw:
        publish(announcement(instance))
