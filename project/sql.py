"""The kit for statements that handle whole sets, the same text on both databases.

An operation gives all its rows to a statement as one parameter, so that a batch of a thousand orders takes as many
statements as one order. Example::

    lines = Rows({"sku": "text", "quantity": "int"}, [{"sku": "MUG", "quantity": 2}])
    execute_together("INSERT INTO shop_line (sku, quantity) SELECT sku, quantity FROM line", line=lines)
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from project.bus.backends import backend_of
from project.bus.backends.statements import as_json, to_time, to_uuid

__all__ = [
    "Rows",
    "as_list",
    "execute",
    "execute_together",
    "for_update",
    "is_among",
    "is_at",
    "lock_until_commit",
    "now",
    "place_column",
    "place_type",
    "to_decimal",
    "to_time",
    "to_uuid",
]


class Rows:
    """Rows that statements select from, as one parameter."""

    __slots__ = ("columns", "json")

    def __init__(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Encode the rows.

        Args:
            columns: the PostgreSQL type of each.
        """
        self.columns = tuple(columns.items())
        self.json = as_json(rows)


def execute(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows, if it has any. Write a literal percent sign as `%%`."""
    return backend_of(DEFAULT_DB_ALIAS).execute(statement, *parameters)


def execute_together(*statements: str, **row_sets: Rows) -> list[tuple[Any, ...]]:
    """Run statements that need not see one another's effects; on PostgreSQL in one round trip.

    Args:
        statements: without parameters of their own.
        row_sets: what they select from, each under its name.

    Returns:
        The rows of the last statement.
    """
    backend = backend_of(DEFAULT_DB_ALIAS)
    parameters = [rows.json for rows in row_sets.values()]
    result: list[tuple[Any, ...]] = []
    for text in backend.combine(statements, tuple((name, rows.columns) for name, rows in row_sets.items())):
        result = backend.execute(text, *parameters)
    return result


def is_among(column: str, type_: str) -> str:
    """The condition that a column's value is in a list, a parameter made by `as_list`.

    Args:
        type_: the column's type in PostgreSQL.
    """
    return backend_of(DEFAULT_DB_ALIAS).is_among(column, type_)


def as_list(values: Sequence[Any]) -> Any:
    """The parameter for `is_among`."""
    return backend_of(DEFAULT_DB_ALIAS).as_list(values)


def now() -> str:
    """The time of the statement, as Django stores it."""
    return backend_of(DEFAULT_DB_ALIAS).sql_now()


def for_update(table: str = "") -> str:
    """The clause that locks the selected rows, or those of one table. A database with one writer needs none."""
    features = connections[DEFAULT_DB_ALIAS].features
    if not features.has_select_for_update:
        return ""
    return f"FOR UPDATE OF {table}" if table else "FOR UPDATE"


def lock_until_commit(name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it. A database with one writer needs none.

    Later statements see what the others committed.
    """
    if connections[DEFAULT_DB_ALIAS].features.has_select_for_update:
        execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", name)


def place_column(table: str) -> str:
    """The column that tells where a row is stored: the fastest way back to a row that this transaction has locked."""
    return backend_of(DEFAULT_DB_ALIAS).place_column(table)


def place_type() -> str:
    """The type of `place_column`, for `Rows`."""
    return backend_of(DEFAULT_DB_ALIAS).place_type


def is_at(table: str, places: str) -> str:
    """The condition that a row is stored at one of the places that a SELECT returns."""
    return backend_of(DEFAULT_DB_ALIAS).is_at(table, places)


def to_decimal(value: Decimal | float | str, *, places: int = 2) -> Decimal:
    """A number as an exact decimal, because SQLite stores and returns it as a float."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places))
