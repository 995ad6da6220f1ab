"""The audit's table."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now


class Change(models.Model):
    """One change: who, when, of what, and how. Append-only; it has no names and no e-mail addresses of people."""

    class Action(models.TextChoices):
        ADD = "add"
        CHANGE = "change"
        DELETE = "delete"

    at = models.DateTimeField(db_default=Now())
    #: An account's id, the operating system's user for a command, or "anonymous".
    actor = models.CharField(max_length=100)
    action = models.CharField(max_length=10, choices=Action.choices)
    #: Such as "inventory.product".
    object_type = models.CharField(max_length=100)
    #: Such as the SKU of a product, or the id of an account.
    object_id = models.CharField(max_length=200)
    #: The old and the new value of each field: {"price": ["14.90", "9.90"]}. Of a secret only {"password": "changed"}.
    fields = models.JSONField(encoder=DjangoJSONEncoder)

    class Meta:
        indexes = (
            models.Index(fields=["object_type", "object_id", "id"], name="audit_change_object"),
            models.Index(fields=["object_id", "id"], name="audit_change_object_id"),
            models.Index(fields=["actor", "id"], name="audit_change_actor"),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"
