"""SQL of our own, run the fast way: for whole sets, and prepared where the database can.

One JSON parameter holds all rows of a statement. So the statement is the same for one row and for ten thousand, on both
databases; a parameter per value would have to be split on SQLite, and could not be prepared.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import NotSupportedError, connection
from django.db.backends.utils import CursorWrapper

_NOW_SQLITE = "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')"
# SQLite keeps a UUID as 32 hexadecimal digits; PostgreSQL reads those too.
_rows = msgspec.json.Encoder(uuid_format="hex", decimal_format="string")


def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement and give its rows, if it has any. A text that stays the same is planned once a connection."""
    try:
        return _run(statement, parameters)
    except NotSupportedError:
        # A migration changed the type of a column, and PostgreSQL refuses the plan that was made before it. In a
        # transaction psycopg forgets its plans with the rollback; outside of one a new session has none.
        if connection.in_atomic_block:
            raise
        connection.close()
        return _run(statement, parameters)


def _run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def run_all(*statements: tuple[str, *tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Run statements that need not see one another's effects: on PostgreSQL in one round trip.

    Args:
        statements: each a text and its parameters; of the last one the rows are given.
    """
    if connection.vendor == "postgresql":
        texts, parameters = zip(*((text, given) for text, *given in statements), strict=True)
        return run(_together(texts), *(value for given in parameters for value in given))
    return [run(text, *given) for text, *given in statements][-1]


@cache
def _together(texts: tuple[str, ...]) -> str:
    first = ", ".join(f"part{number} AS ({text})" for number, text in enumerate(texts[:-1]))
    return f"WITH {first} {texts[-1]}" if first else texts[-1]


def as_json(rows: Iterable[dict[str, Any]]) -> str:
    """The parameter for a `recordset`."""
    return _rows.encode(list(rows)).decode()


def recordset(**columns: str) -> str:
    """SQL for a table `entry` that holds the rows of one JSON parameter.

    Args:
        columns: the PostgreSQL type of each.
    """
    return _recordset(connection.vendor, tuple(columns.items()))


@cache
def _recordset(vendor: str, columns: tuple[tuple[str, str], ...]) -> str:
    if vendor == "postgresql":
        typed = ", ".join(f"{name} {type_}" for name, type_ in columns)
        return f"jsonb_to_recordset(%s::jsonb) AS entry ({typed})"
    extracted = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name, _ in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS entry"


def now() -> str:
    """SQL for the time of the statement, as Django keeps it; for `run`, as a percent sign in it is doubled."""
    return "statement_timestamp()" if connection.vendor == "postgresql" else _NOW_SQLITE


def among(column: str) -> str:
    """SQL for: the column's value is in a list, the parameter that `listed` makes."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)"
    return f"{column} IN (SELECT value FROM json_each(%s))"


def listed(values: Sequence[Any]) -> Any:
    """The parameter for `among`."""
    return list(values) if connection.vendor == "postgresql" else _rows.encode(list(values)).decode()


def uuid_of(value: UUID | str) -> UUID:
    """An id as `run` gives it: SQLite knows no such type."""
    return value if isinstance(value, UUID) else UUID(value)


def time_of(value: datetime | float) -> datetime:
    """A time as `run` gives it: SQLite's has no zone, and PostgreSQL may be asked for seconds, which read faster."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


def _cursor() -> CursorWrapper:
    # Django's own cursors put parameters into the text, which therefore cannot be prepared. This one sends them apart,
    # and psycopg prepares a text after as many uses as the connection's `prepare_threshold` says. While queries are
    # logged (DEBUG, tests that count them) Django's is taken, as the log wants their text.
    if connection.vendor != "postgresql" or connection.queries_logged:
        return connection.cursor()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = connection.Database.Cursor(connection.connection)  # type: ignore[attr-defined]  # the stubs lack it
    return connection.make_cursor(cursor)
