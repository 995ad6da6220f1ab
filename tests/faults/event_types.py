"""Events that only the fault runner publishes, one type for each of its handlers.

With FAULT_RELEASE=next a process is one release ahead of the others: some of its events have more fields.
"""

import os
from typing import Any

from project.bus import Event, upcast

IS_NEXT_RELEASE = os.environ.get("FAULT_RELEASE") == "next"


class Counted(Event, name="faults.counted", subject="number"):
    """Its handler does what it should."""

    number: int


class Raised(Event, name="faults.raised", subject="number"):
    """Its handler raises if the event is poison."""

    number: int
    poison: bool = False


class Crashed(Event, name="faults.crashed", subject="number"):
    """Its handler kills its own process if the event is poison."""

    number: int
    poison: bool = False


class Dawdled(Event, name="faults.dawdled", subject="number"):
    """Its handler takes too long the first time."""

    number: int
    seconds: float = 0.0


class Widened(Event, name="faults.widened", subject="number"):
    """The next release adds a field with a default."""

    number: int
    if IS_NEXT_RELEASE:
        colour: str = "none"


class Changed(Event, name="faults.changed", version=2 if IS_NEXT_RELEASE else 1, subject="number"):
    """The next release adds a field without a default, and therefore a new version."""

    number: int
    if IS_NEXT_RELEASE:
        colour: str


EVENTS_TO_READ: tuple[type[Event], ...] = (Widened, Changed)

if IS_NEXT_RELEASE:

    class Unheard(Event, name="faults.unheard", subject="number"):
        """Only the next release knows this type."""

        number: int

    @upcast(Changed, from_version=1)
    def paint(data: dict[str, Any]) -> dict[str, Any]:
        """Events of version 1 have no colour, so they become grey."""
        return {**data, "colour": "grey"}

    EVENTS_TO_READ += (Unheard,)
