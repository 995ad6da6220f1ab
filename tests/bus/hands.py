"""What tests do by hand: run the commands that change what is owed, and let time pass for it."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from project.bus.consumer import answer_bell
from project.bus.models import AuditEntry, Delivery
from project.bus.registry import Handler


def by_hand(*words: str) -> str:
    """What a command prints that is told to go on."""
    out = StringIO()
    call_command(*words, "--yes", "--as", "ann", stdout=out)
    return out.getvalue()


def refused(*words: str, **match: str) -> str:
    """What a command says that does nothing."""
    before = AuditEntry.objects.count()
    with pytest.raises(CommandError, **match) as error:
        call_command(*words, stdout=StringIO())
    assert AuditEntry.objects.count() == before
    return str(error.value)


def written_down() -> tuple[str, str, Any, Any]:
    """Who did what last, as asked, and what came of it."""
    entry = AuditEntry.objects.latest("id")
    return entry.actor, entry.action, entry.request, entry.outcome


def make_due(**which: Any) -> None:
    """Let what is owed have been due for a minute: all of it, or such deliveries.

    A minute, as within a test's transaction PostgreSQL's now() stands still.
    """
    Delivery.objects.filter(dead_at=None, **which).update(due_at=Now() - timedelta(seconds=60))


def until_settled(handler: Handler) -> None:
    """Have all that is owed tried, again and again, until it is done or dead."""
    for _ in range(1000):
        if not Delivery.objects.filter(dead_at=None).exists():
            return
        make_due()
        answer_bell(handler)
    pytest.fail("still owed")
