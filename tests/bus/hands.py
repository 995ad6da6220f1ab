"""Running the commands by which people change what is owed."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from project.bus.models import AuditEntry


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
