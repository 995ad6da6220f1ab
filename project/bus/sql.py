"""SQL of our own, run the fast way: for whole sets, and prepared where the database can.

One JSON parameter holds all rows of a statement. So the statement is the same for one row and for ten thousand, on both
databases; a parameter per value would have to be split on SQLite, and could not be prepared.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
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
    # Itself: each attribute asked of the proxy `connection` is a look-up.
    here = connections[DEFAULT_DB_ALIAS]
    if here.queries_logged:  # DEBUG, or tests that count queries: the log wants the text as Django writes it
        cursor = here.cursor()
    elif here.vendor == "postgresql":
        cursor = _prepared(here)
    else:
        cursor, statement = _plain(here), _with_question_marks(statement)
    with cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


class Table(NamedTuple):
    """Rows to give to `run_all`."""

    #: The PostgreSQL type of each column.
    columns: Mapping[str, str]
    #: As `as_json` writes them.
    rows: str


def run_all(*statements: str, **tables: Table) -> list[tuple[Any, ...]]:
    """Run statements that need not see one another's effects: on PostgreSQL in one round trip.

    Args:
        statements: without parameters of their own; of the last one the rows are given.
        tables: what they may select from, each under its name.
    """
    parameters = [table.rows for table in tables.values()]
    given = tuple((name, tuple(table.columns.items())) for name, table in tables.items())
    if connection.vendor == "postgresql":
        return run(_together("postgresql", statements, given), *parameters)
    return [run(_together(connection.vendor, (text,), given), *parameters) for text in statements][-1]


@cache
def _together(vendor: str, texts: tuple[str, ...], tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> str:
    # PostgreSQL reads each table's JSON once, however many parts select from it.
    named = [f"{name} AS (SELECT * FROM {_recordset(vendor, columns)})" for name, columns in tables]
    named += [f"part{number} AS ({text})" for number, text in enumerate(texts[:-1])]
    return f"WITH {', '.join(named)} {texts[-1]}"


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
        # Not jsonb_to_recordset, which takes half as long again.
        return f"json_to_recordset(%s::json) AS entry ({typed})"
    extracted = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name, _ in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS entry"


def now() -> str:
    """SQL for the time of the statement, as Django keeps it; for `run`, as a percent sign in it is doubled."""
    return "statement_timestamp()" if connection.vendor == "postgresql" else _NOW_SQLITE


def among(column: str, type_: str) -> str:
    """SQL for: the column's value is in a list, the parameter that `listed` makes.

    Args:
        type_: the column's type in PostgreSQL.
    """
    if connection.vendor == "postgresql":
        # Not `= ANY(%s)`: once planned for any list, that may compare each row of the table with each value.
        return f"{column} IN (SELECT unnest(%s::{type_}[]))"
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


def _prepared(here: BaseDatabaseWrapper) -> CursorWrapper:
    # Django's own cursors put parameters into the text, which therefore cannot be prepared. This one sends them apart,
    # and psycopg prepares a text after as many uses as the connection's `prepare_threshold` says.
    here.close_if_health_check_failed()
    here.ensure_connection()
    with here.wrap_database_errors:
        cursor = here.Database.Cursor(here.connection)  # type: ignore[attr-defined]  # the stubs lack it
    return here.make_cursor(cursor)


def _plain(here: BaseDatabaseWrapper) -> CursorWrapper:
    # Django's own cursor rewrites the text at each use.
    here.ensure_connection()
    with here.wrap_database_errors:
        cursor = here.connection.cursor()
    return here.make_cursor(cursor)


@cache
def _with_question_marks(statement: str) -> str:
    """As SQLite writes parameters."""
    return re.sub(r"(?<!%)%s", "?", statement).replace("%%", "%")
