"""The event bus: a transactional outbox whose events Celery workers handle exactly once in the database.

These names are the public surface; everything else is private. docs/bus.md describes how the bus works and why.
"""

from .configuration import configure
from .context import idempotency_key
from .errors import BusError, PermanentError, TransientError
from .events import Event, upcast
from .outbox import publish
from .registry import subscribe

__all__ = [
    "BusError",
    "Event",
    "PermanentError",
    "TransientError",
    "configure",
    "idempotency_key",
    "publish",
    "subscribe",
    "upcast",
]
