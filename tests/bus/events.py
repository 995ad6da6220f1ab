"""Events that exist only in tests."""

from project.bus import Event


class Pinged(Event, name="tests.pinged", subject="number"):
    """Somebody pinged."""

    number: int


class Ponged(Event, name="tests.ponged", subject="number"):
    """Somebody answered a ping."""

    number: int
