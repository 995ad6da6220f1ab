"""What tests do as operators, and time that passes for deliveries."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from project.bus.models import AuditEntry, Delivery
from project.bus.registry import Handler
from project.bus.worker.consumer import answer_bell

#: The subcommands that change nothing have no --yes and no --as.
READ_ONLY = ("status", "relay", "schemas")


def bus(*words: str) -> str:
    """Run `manage.py bus`, confirmed and on behalf of ann. Return what it prints."""
    out = StringIO()
    confirmed = () if words[0] in READ_ONLY else ("--yes", "--as", "ann")
    call_command("bus", *words, *confirmed, stdout=out)
    return out.getvalue()


def bus_refuses(*words: str, match: str | None = None) -> str:
    """Run `manage.py bus`, which must fail and change nothing that is audited. Return the error's text."""
    before = AuditEntry.objects.count()
    with pytest.raises(CommandError, match=match) as error:
        call_command("bus", *words, stdout=StringIO())
    assert AuditEntry.objects.count() == before
    return str(error.value)


def last_audit_entry() -> tuple[str, str, Any, Any]:
    """Actor, action, request and outcome."""
    entry = AuditEntry.objects.latest("id")
    return entry.actor, entry.action, entry.request, entry.outcome


def make_due(**which: Any) -> None:
    """Make deliveries due for a minute already, because PostgreSQL's now() stands still within a test's transaction."""
    Delivery.objects.filter(dead_at=None, **which).update(due_at=Now() - timedelta(seconds=60))


def until_settled(handler: Handler) -> None:
    """Let a handler try everything again and again, until each delivery is done or dead."""
    for _ in range(1000):
        if not Delivery.objects.filter(dead_at=None).exists():
            return
        make_due()
        answer_bell(handler)
    pytest.fail("still owed")
