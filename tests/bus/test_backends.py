"""Only the backends know which database it is, and no statement is made from another one."""

import ast
import re

import pytest

from project.bus.backends.base import Backend
from project.bus.backends.postgresql import PostgreSQL
from project.bus.backends.sqlite import SQLite
from tests.bus.sources import sources


def test_only_backends_and_migrations_know_the_kind_of_database():
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, source in [
            *sources("project/bus", without=("migrations", "backends")),
            *sources("users", "orders", "inventory"),
        ]
        for number, line in enumerate(source.splitlines(), start=1)
        if re.search(r"\bvendor\b|ctid", line)
    ]
    assert found == []


def test_no_statement_is_made_from_another_by_replacing_text():
    """Only SQLite's placeholders are replaced: `%s` and `%%`. `value.replace(tzinfo=...)` belongs to a time."""
    replaced = {
        (path, ast.unparse(node))
        for path, source in sources("project/bus/backends")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("replace", "sub", "translate")
        and not any(keyword.arg == "tzinfo" for keyword in node.keywords)
    }
    placeholders = "re.sub('(?<!%)%s', '?', statement)"
    assert replaced == {
        ("project/bus/backends/sqlite.py", placeholders),
        ("project/bus/backends/sqlite.py", f"{placeholders}.replace('%%', '%')"),
    }


@pytest.mark.parametrize("backend", [PostgreSQL, SQLite])
def test_each_backend_has_every_method_of_the_protocol(backend):
    names = {name for name in vars(Backend) if not name.startswith("_")} | {"lease_s"}
    assert {name for name in names if not hasattr(backend, name)} == set()
