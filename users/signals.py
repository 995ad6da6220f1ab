"""A new account, however it came about, is an event."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from project.bus.outbox import publish
from project.events import UserCreated
from users.models import User


@receiver(post_save, sender=User)
def announce_new_user(instance: User, created: bool, raw: bool, **_: object) -> None:
    """Publish UserCreated in the transaction that save() opened; a fixture (raw) is no news."""
    if created and not raw:
        publish(UserCreated(user_id=instance.pk))
