"""Signals of the users service, which publish events."""

from django.contrib.auth.models import Group
from django.db.models.signals import post_save
from django.dispatch import receiver

from project.audit.recording import audited
from project.bus import publish
from project.events import ConfirmationRequested, UserCreated
from users import rights
from users.models import User

audited(
    User,
    fields=("is_active", "is_staff", "is_superuser"),
    secret=("password", "email", "name"),
    relations={"groups": ("name",), "user_permissions": ("content_type__app_label", "codename")},
    ignored=rights.is_unrecorded,
    additions=rights.is_recorded,
    guard=rights.refuse_rights,
)
audited(
    Group,
    fields=("name",),
    relations={"permissions": ("content_type__app_label", "codename")},
    key="name",
    guard=rights.refuse_group,
    lost=rights.members,
)


@receiver(post_save, sender=User)
def announce_new_user(instance: User, created: bool, raw: bool, **_: object) -> None:
    """Publish UserCreated in the transaction that save() opened, except for an account from a fixture (raw)."""
    if created and not raw:
        publish(UserCreated(user_id=instance.pk, confirmed=instance.email_confirmed_at is not None))


@receiver(post_save, sender=User)
def ask_for_confirmation(instance: User, raw: bool, **_: object) -> None:
    """Publish ConfirmationRequested when save() changed the address."""
    if instance.email_changed and not raw:
        publish(ConfirmationRequested(user_id=instance.pk))
