"""Records failed attempts: a count for each error at each place, and the latest few tracebacks."""

import hashlib
from uuid import UUID

from ..backends import backend
from ..models import Failure
from .identity import worker_name

#: Tracebacks kept for each signature: a million failures of one kind are one count and these.
TRACEBACKS_KEPT = 10
MAX_ERROR_LENGTH = 200


def signature_of(*, handler: str, error: str, place: str = "") -> str:
    """Identify failures of a handler with the same error at the same place.

    Args:
        error: the name of the error's class.
        place: the file and function that raised it.
    """
    return hashlib.sha256(f"{handler} {error} {place}".encode()).hexdigest()


def record_failure(
    *, delivery_id: int, event_id: UUID, handler: str, attempt: int, error: str, signature: str, traceback: str
) -> None:
    """Count one failed attempt, and keep its traceback instead of an older one with the same signature."""
    error = _storable(error)[:MAX_ERROR_LENGTH]
    backend().count_failure(signature=signature, handler=handler, error=error)
    Failure.objects.create(
        delivery_id=delivery_id,
        event_id=event_id,
        handler=handler,
        attempt=attempt,
        error=error,
        signature=signature,
        traceback=_storable(traceback),
        worker=worker_name(),
    )
    backend().trim_failures(signature=signature, keep=TRACEBACKS_KEPT)


def _storable(text: str) -> str:
    """Escape what a database refuses: zero bytes and halves of surrogate pairs."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
