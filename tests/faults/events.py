"""Events that only the fault runner publishes, one type for each of its handlers.

With FAULT_RELEASE=next a process is one release ahead of the others, and knows more of some.
"""

import os
from typing import Any

from project.bus.events import Event, upcast

AHEAD = os.environ.get("FAULT_RELEASE") == "next"


class Counted(Event, name="faults.counted", subject="number"):
    """Somebody counted."""

    number: int


class Raised(Event, name="faults.raised", subject="number"):
    """Something came up that a handler raises at, if it is poison."""

    number: int
    poison: bool = False


class Crashed(Event, name="faults.crashed", subject="number"):
    """Something came up that kills a handler's process, if it is poison."""

    number: int
    poison: bool = False


class Dawdled(Event, name="faults.dawdled", subject="number"):
    """Something came up that takes a handler too long, the first time that it is tried."""

    number: int
    seconds: float = 0.0


class Widened(Event, name="faults.widened", subject="number"):
    """Something that the next release tells more of, in a field with a default."""

    number: int
    if AHEAD:
        colour: str = "none"


class Changed(Event, name="faults.changed", version=2 if AHEAD else 1, subject="number"):
    """Something that the next release tells more of, in a field without a default: so it has a new version."""

    number: int
    if AHEAD:
        colour: str


READ: tuple[type[Event], ...] = (Widened, Changed)

if AHEAD:

    class Unheard(Event, name="faults.unheard", subject="number"):
        """Something that only the next release has heard of."""

        number: int

    @upcast(Changed, from_version=1)
    def paint(data: dict[str, Any]) -> dict[str, Any]:
        """What had no colour is grey."""
        return {**data, "colour": "grey"}

    READ += (Unheard,)
