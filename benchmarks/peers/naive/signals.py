"""Enqueues the first task of a placed order."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from benchmarks.peers.naive.models import Order
from benchmarks.peers.naive.tasks import enqueue, reserve_stock


@receiver(post_save, sender=Order)
def announce_order(instance: Order, created: bool, **_: Any) -> None:
    """Enqueue the reservation of its stock."""
    if created:
        enqueue(reserve_stock, str(instance.pk))
