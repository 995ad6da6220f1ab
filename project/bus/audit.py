"""What people do to the bus by hand is written down: who, when, what was asked, and what came of it."""

from collections.abc import Mapping
from typing import Any

from .models import AuditEntry

LONGEST_ACTOR = 100


def record(*, actor: str, action: str, request: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    """Write down what somebody did: in the same transaction, or after the last one of what takes several.

    Args:
        actor: an account's id, or the name that the machine knows the person by.
    """
    AuditEntry.objects.create(actor=actor[:LONGEST_ACTOR], action=action, request=dict(request), outcome=dict(outcome))
