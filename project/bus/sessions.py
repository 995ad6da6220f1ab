"""A worker's database sessions: time-outs, so that none holds rows for ever, and care after one was lost."""

import time

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_init
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .claims import forget_marks

#: Seconds after a lost connection in which claims are single and durable: one of the events may be the reason.
CAUTION = 10.0

_cautious_until = 0.0


def cautious() -> bool:
    """Whether a connection was lost just now."""
    return time.monotonic() < _cautious_until


def tidy(error: Exception, *, session: object) -> None:
    """Leave no broken connection behind, as Celery is told not to close it, and be careful after a lost one.

    Args:
        session: the connection as it was before the error; Django may have made a new one since.
    """
    global _cautious_until  # noqa: PLW0603 - a process handles one bell at a time
    if connection.in_atomic_block:
        return  # a test's transaction around everything
    lost = isinstance(error, DatabaseError) and (connection.connection is not session or not connection.is_usable())
    if lost:
        _cautious_until = time.monotonic() + CAUTION
        forget_marks()  # a crash of the database may have undone claims
    if lost or isinstance(error, SoftTimeLimitExceeded):
        connection.close()


@worker_init.connect
def prepare_sessions(**_: object) -> None:
    """In a worker, no session may hold rows for ever: connections made from now on have time-outs."""
    connection_created.connect(_set_up_session, dispatch_uid="project.bus.sessions")


def _set_up_session(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A stopped worker lets go of its rows before those who wait for them give up.
            cursor.execute("SET idle_in_transaction_session_timeout = '5s'")
            cursor.execute("SET lock_timeout = '10s'")
            cursor.execute("SET statement_timeout = '30s'")
            # What a batch touches is in memory, or on a disk without a head to move. The default, 4, is for others, and
            # has a batch of orders found by reading a table of 20,000 from end to end.
            cursor.execute("SET random_page_cost = 1.1")
