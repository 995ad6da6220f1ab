"""What went wrong, kept as a count for each error at each place, with the latest few tracebacks."""

import hashlib
from uuid import UUID

from django.db import connection

from .models import Failure
from .worker import worker_name

#: Attempts of one signature whose tracebacks are kept: a million failures of one kind are one count and these.
KEPT = 10
LONGEST_ERROR = 200


def signature_of(*, handler: str, error: str, place: str = "") -> str:
    """The same for failures of a handler by the same error at the same place.

    Args:
        error: the name of its class.
        place: file and function in which it was raised.
    """
    return hashlib.sha256(f"{handler} {error} {place}".encode()).hexdigest()


def write_failure(
    *, delivery_id: int, event_id: UUID, handler: str, attempt: int, error: str, signature: str, traceback: str
) -> None:
    """Count one failed attempt, and keep its traceback instead of an older one of the same signature."""
    error, traceback = _writable(error)[:LONGEST_ERROR], _writable(traceback)
    now = {"postgresql": "now()", "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')"}[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(now=now), [signature, handler, error])
        Failure.objects.create(
            delivery_id=delivery_id,
            event_id=event_id,
            handler=handler,
            attempt=attempt,
            error=error,
            signature=signature,
            traceback=traceback,
            worker=worker_name(),
        )
        cursor.execute(_TRIM, [signature, signature, KEPT])


def _writable(text: str) -> str:
    """A text without what a database refuses: zeros, and halves of characters."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


# Whoever counts waits here for whoever counted before, so no count is lost, and the oldest are told from the latest.
_COUNT = """
    INSERT INTO bus_failurecount (signature, handler, error, count, first_at, last_at)
    VALUES (%s, %s, %s, 1, {now}, {now})
    ON CONFLICT (signature) DO UPDATE
    SET count = bus_failurecount.count + 1, error = excluded.error, last_at = excluded.last_at
"""
_TRIM = """
    DELETE FROM bus_failure WHERE signature = %s AND id <= (
        SELECT id FROM bus_failure WHERE signature = %s ORDER BY id DESC LIMIT 1 OFFSET %s
    )
"""
