"""The audit: who changed what the bus owes, when, what they asked for, and what it did."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from ..backends import bus_atomic
from ..models import AuditEntry
from ..text import escaped

MAX_ACTOR_LENGTH = 100


@contextmanager
def recorded(
    *, actor: str, action: str, request: Mapping[str, Any], always: bool = False, **outcome: Any
) -> Iterator[dict[str, Any]]:
    """Write an audit entry when the block ends, also when it is interrupted or fails after it did something.

    Inside an open transaction the entry commits with it.

    Args:
        actor: an account's id, or the name of the operating system's user.
        always: also when the block failed before its outcome changed, because something was done before it.
        outcome: what the operation has done so far; the block updates it. Values of 0 count as nothing done.
    """
    interrupted = True
    try:
        yield outcome
        interrupted = False
    finally:
        if always or not interrupted or any(outcome.values()):
            with bus_atomic():
                AuditEntry.objects.create(
                    actor=escaped(actor)[:MAX_ACTOR_LENGTH], action=action, request=_storable(request), outcome=outcome
                )


def operating_system_user() -> str:
    """The name of the user who runs this process."""
    try:
        return escaped(getpass.getuser())  # an environment variable, if there is one
    except (KeyError, OSError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


def _storable(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request without what was not asked for, as JSON takes it."""
    return {
        name: str(value) if isinstance(value, (datetime, timedelta)) else value
        for name, value in request.items()
        if value not in (None, "", (), [], False)
    }
