"""Databases at any migration, what their schema is, and which rows they hold."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

LABELS = ("bus", "inventory", "orders", "users")
#: Where the migrations of 0.1.0 ended.
V010 = [
    ("bus", "0002_autovacuum"),
    ("inventory", "0002_movement_append_only"),
    ("orders", "0001_initial"),
    ("users", "0001_initial"),
]
#: Where the migrations end that the squashed ones replace.
REPLACED = [
    ("bus", "0005_names"),
    ("inventory", "0007_names"),
    ("orders", "0003_names"),
    ("users", "0003_names"),
]


class ReplacedLoader(MigrationLoader):
    """Loads the replaced migrations in place of the squashed ones and of what came after those."""

    def load_disk(self) -> None:
        super().load_disk()
        replaced = {key for found in self.disk_migrations.values() for key in found.replaces}
        self.disk_migrations = {
            key: found for key, found in self.disk_migrations.items() if key[0] not in LABELS or key in replaced
        }


def migrate_replaced(targets: list[tuple[str, str]]) -> Any:
    """Migrate to targets among the replaced migrations, and return the apps as of then."""
    executor = MigrationExecutor(connection)
    executor.loader = ReplacedLoader(connection)
    state = executor.migrate(targets)
    return state.apps


def undo_what_came_after_the_squashed() -> None:
    executor = MigrationExecutor(connection)
    disk = executor.loader.disk_migrations
    executor.migrate([key for key, found in disk.items() if found.replaces and key[0] in LABELS])


@contextmanager
def empty_database(directory: Path) -> Iterator[None]:
    """Make the default connection that of a new, empty database of the same kind."""
    before = connections["default"]
    on_postgresql = before.vendor == "postgresql"
    name = f"test_migrations_{uuid4().hex}" if on_postgresql else str(directory / f"{uuid4().hex}.sqlite3")
    if on_postgresql:
        with before._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    connections["default"] = type(before)(before.settings_dict | {"NAME": name}, alias="default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before
        if on_postgresql:
            with before._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def query(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def our_models() -> list[type[Model]]:
    """Models of our apps, with those that Django makes for their relations."""
    return [model for label in LABELS for model in apps.get_app_config(label).get_models(include_auto_created=True)]


def is_ours(table: str) -> bool:
    return table.partition("_")[0] in LABELS


def rows(columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of tables, sorted; of each table some columns."""
    return {
        table: sorted(query(f"SELECT {', '.join(names)} FROM {table}"), key=repr) for table, names in columns.items()
    }


def columns_now() -> dict[str, list[str]]:
    with connection.cursor() as cursor:
        return {
            table.name: [column.name for column in connection.introspection.get_table_description(cursor, table.name)]
            for table in connection.introspection.get_table_list(cursor)
            if is_ours(table.name)
        }


def schema() -> dict[str, Any]:
    """All that a database knows of our tables, by name; columns of a table in any order."""
    return _schema_of_postgresql() if connection.vendor == "postgresql" else _schema_of_sqlite()


POSTGRESQL = {
    "column": """
        SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attcollation, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "index": """
        SELECT c.relname || '.' || i.relname, pg_get_indexdef(x.indexrelid), i.reloptions
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace
    """,
    "constraint": """
        SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid), k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = 'public'::regnamespace AND k.contype <> 'n'
    """,
    "trigger": """
        SELECT c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid), p.prosrc, t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
    """,
    "storage": """
        SELECT c.relname, (SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) AS o)
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    """,
}


def _schema_of_postgresql() -> dict[str, Any]:
    return {
        f"{kind} {name}": facts
        for kind, statement in POSTGRESQL.items()
        for name, *facts in query(statement)
        if is_ours(name)
    }


def _schema_of_sqlite() -> dict[str, Any]:
    found = query("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        f"{kind} {table}.{name}": _parts(sql) if kind == "table" else " ".join(sql.split())
        for kind, name, table, sql in found
        if is_ours(table)
    }


def _parts(sql: str) -> list[str]:
    """What a table consists of: its columns and constraints, sorted."""
    body = sql.partition("(")[2].rpartition(")")[0]
    parts, depth = [""], 0
    for character in " ".join(re.sub(r"[()]", r" \g<0> ", body).split()):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return sorted(part.strip() for part in parts)
