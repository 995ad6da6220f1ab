"""Time-outs of the web's database sessions: 503 instead of a thread that waits."""

from django.conf import settings
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from project.errors import Busy

RETRY_AFTER_S = 5
#: PostgreSQL cancelled the statement, or did not get a lock in time.
SQLSTATES = {"57014", "55P03"}
#: SQLite did not get its only lock in time.
SQLITE_ERRORS = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"}


def limit_web_sessions() -> None:
    """Give each database session of this process a time-out: it is a web server.

    Workers, the relay and commands do not call this: a migration or an import may take hours.
    """
    connection_created.connect(_limit_session, dispatch_uid="project.api.timeouts")


def _limit_session(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    # The wait for a lock is part of a statement. SQLite has the `timeout` of its settings for locks, and no other.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{settings.WEB_STATEMENT_TIMEOUT:d}s'")


def as_busy(error: BaseException) -> Busy | None:
    """Return the error to show, if the database gave up a statement that took too long, or waited for others."""
    cause = error.__cause__
    if isinstance(error, OperationalError) and (
        getattr(cause, "sqlstate", None) in SQLSTATES or getattr(cause, "sqlite_errorname", None) in SQLITE_ERRORS
    ):
        return Busy("The database took too long.", wait=RETRY_AFTER_S)
    return None
