"""Helpers of the tests of the audit."""

from typing import Any

from django.test import Client

from project.audit.models import Change
from users.models import User

PASSWORD = "correct horse battery"


def admin_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class Recorded:
    """The changes that are recorded from now on."""

    def __init__(self) -> None:
        self.before = Change.objects.order_by("pk").values_list("pk", flat=True).last() or 0

    def __call__(self) -> list[tuple[str, str, str, str, dict[str, Any]]]:
        new = Change.objects.filter(pk__gt=self.before).order_by("pk")
        return [(row.actor, row.action, row.object_type, row.object_id, row.fields) for row in new]
