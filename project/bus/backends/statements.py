"""Runs statements for whole sets the fast way: one JSON parameter for all rows, prepared where the database can.

With one parameter the statement is the same for one row and for ten thousand, on both databases. A parameter for each
value would have to be split on SQLite, and could not be prepared.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

# SQLite stores a UUID as 32 hexadecimal digits; PostgreSQL reads those too.
_encoder = msgspec.json.Encoder(uuid_format="hex", decimal_format="string")


def as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as one JSON parameter."""
    return _encoder.encode(list(rows)).decode()


def json_list(values: Sequence[Any]) -> str:
    """Values as one JSON parameter."""
    return _encoder.encode(list(values)).decode()


def to_uuid(value: UUID | str) -> UUID:
    """An id as a UUID, because SQLite returns it as text."""
    return value if isinstance(value, UUID) else UUID(value)


def to_time(value: datetime | float) -> datetime:
    """A time in UTC: SQLite returns it without a zone, and PostgreSQL may be asked for seconds, which read faster."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


class Statements(ABC):
    """Runs statements on one database, and has those that are the same on all of them."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any. A text that stays the same is planned once a session.

        Placeholders are `%s`, a literal percent sign is `%%`.
        """
        try:
            return self._execute(statement, parameters)
        except NotSupportedError:
            # A migration changed a column's type, and PostgreSQL refuses the plan that was made before. Inside a
            # transaction psycopg forgets its plans with the rollback; outside, a new session has none.
            connection = connections[self.alias]
            if connection.in_atomic_block:
                raise
            connection.close()
            return self._execute(statement, parameters)

    def _execute(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        connection = connections[self.alias]
        if connection.queries_logged:  # DEBUG, or tests that count queries: the log needs the text as Django writes it
            cursor = connection.cursor()
        else:
            cursor, statement = self.fast_cursor(connection, statement)
        with cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @abstractmethod
    def fast_cursor(self, connection: BaseDatabaseWrapper, statement: str) -> tuple[CursorWrapper, str]:
        """A cursor that does not rewrite the text at each use, and the text as this cursor takes it."""

    @abstractmethod
    def sql_now(self) -> str:
        """SQL for the time of the statement, as Django stores it."""

    def count_failure(self, *, signature: str, handler: str, error: str) -> None:
        """Add one to a signature's count. Concurrent writers wait for each other's row, so no count is lost."""
        self.execute(
            f"""
            INSERT INTO bus_failurecount (signature, handler, error, count, first_at, last_at)
            VALUES (%s, %s, %s, 1, {self.sql_now()}, {self.sql_now()})
            ON CONFLICT (signature) DO UPDATE
            SET count = bus_failurecount.count + 1, error = excluded.error, last_at = excluded.last_at
            """,
            signature,
            handler,
            error,
        )

    def trim_failures(self, *, signature: str, keep: int) -> None:
        """Delete all but the newest failures of a signature."""
        self.execute(
            """
            DELETE FROM bus_failure WHERE signature = %s AND id <= (
                SELECT id FROM bus_failure WHERE signature = %s ORDER BY id DESC LIMIT 1 OFFSET %s
            )
            """,
            signature,
            signature,
            keep,
        )

    def count_refused(self, rows: Sequence[tuple[str, str, int, str]]) -> None:
        """Add to the counts of refused messages. Rows are sorted, so that two workers never wait in a circle."""
        values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
        self.execute(
            f"""
            INSERT INTO bus_refusedmessage (queue, reason, count, sample) VALUES {values}
            ON CONFLICT (queue, reason) DO UPDATE
            SET count = bus_refusedmessage.count + excluded.count, sample = excluded.sample, last_at = excluded.last_at
            """,
            *(value for row in sorted(rows) for value in row),
        )
