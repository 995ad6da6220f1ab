"""`manage.py bus schemas` refuses a change to an event that another release would not understand."""

import re
import subprocess
import sys
from typing import Any, Literal

import msgspec
import pytest
from django.conf import settings

from project.bus.schemas import incompatibilities
from project.events import Line

pytestmark = pytest.mark.once

BEFORE: dict[str, Any] = {"order_id": int, "lines": list[Line], "state": Literal["new", "old"], "note": (str, "")}


def schema(fields: dict[str, Any]) -> dict[str, Any]:
    struct = [(name, *value) if isinstance(value, tuple) else (name, value) for name, value in fields.items()]
    return msgspec.json.schema(msgspec.defstruct("Placed", struct, kw_only=True))


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "bus", "schemas", *arguments],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


class Priced(msgspec.Struct):
    sku: str
    quantity: int
    price: int


class LineWithComment(msgspec.Struct, kw_only=True):
    sku: str
    quantity: int
    comment: str = ""


class Tree(msgspec.Struct):
    name: str
    children: list["Tree"] = msgspec.field(default_factory=list)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("{0} | None", "gift"),
        ("dict[str, {0}]", "gift{}"),
        ("tuple[{0}, int]", "gift[0]"),
        ("list[{0} | None]", "gift[]"),
    ],
    ids=["optional", "mapping", "tuple", "list of optional"],
)
def test_a_type_is_compared_at_every_place(kind, path):
    wider = msgspec.defstruct("Line", [("sku", str), ("quantity", int), ("comment", str, "")])

    def with_gift(line: type) -> dict[str, Any]:
        return schema({"gift": eval(kind.format("line"), {"line": line})})

    assert incompatibilities(with_gift(Line), with_gift(wider)) == []
    assert incompatibilities(with_gift(Line), with_gift(Priced)) == [f"{path}.price is new and has no default"]


def test_a_recursive_type_can_be_compared():
    assert incompatibilities(schema({"tree": Tree}), schema({"tree": Tree})) == []


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        BEFORE | {"channel": (str, "web")},
        BEFORE | {"tags": (list[str], msgspec.field(default_factory=list))},
        BEFORE | {"order_id": (int, 0)},
        BEFORE | {"lines": list[LineWithComment]},
    ],
    ids=["none", "a field with a default", "a list with a default", "a default", "a field with a default in a line"],
)
def test_a_change_that_both_releases_understand_is_accepted(after):
    assert incompatibilities(schema(BEFORE), schema(after)) == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (BEFORE | {"channel": str}, "channel is new and has no default"),
        ({name: BEFORE[name] for name in ("order_id", "lines", "state")}, "note is gone"),
        ({("id" if name == "order_id" else name): value for name, value in BEFORE.items()}, "order_id is gone"),
        (BEFORE | {"order_id": str}, "order_id was"),
        (BEFORE | {"order_id": int | None}, "order_id was"),
        (BEFORE | {"state": Literal["new"]}, "state was"),
        (BEFORE | {"state": Literal["new", "old", "odd"]}, "state was"),
        (BEFORE | {"note": str}, "note has lost its default"),
        (BEFORE | {"note": (str, "-")}, "note was"),
        (BEFORE | {"lines": list[str]}, r"lines\[\] was"),
        (BEFORE | {"lines": Line}, "lines was"),
        (BEFORE | {"lines": list[Priced]}, r"lines\[\].price is new and has no default"),
    ],
)
def test_an_incompatible_change_is_refused_with_the_name_of_the_field(after, words):
    found = incompatibilities(schema(BEFORE), schema(after))
    assert found
    assert any(re.search(words, line) for line in found), found


def test_the_committed_schemas_agree_with_the_code():
    checked = manage("--check")
    assert checked.returncode == 0, checked.stderr


def test_the_command_writes_missing_schemas_and_keeps_incompatible_ones(tmp_path):
    assert manage("--directory", str(tmp_path), "--check").returncode == 1
    assert not list(tmp_path.iterdir())
    assert manage("--directory", str(tmp_path)).returncode == 0
    file = tmp_path / "orders.order_placed.v1.json"
    other = tmp_path / "orders.order_confirmed.v1.json"
    file.write_text(file.read_text().replace('"order_id"', '"number"'))
    other.write_text("{}")
    refused = manage("--directory", str(tmp_path))
    assert refused.returncode == 1
    assert "orders.order_placed.v1.json: number is gone" in refused.stderr
    assert "make it the next version and write an upcaster" in refused.stderr
    assert other.read_text() == "{}"


def test_a_schema_without_its_event_is_refused(tmp_path):
    assert manage("--directory", str(tmp_path)).returncode == 0
    (tmp_path / "orders.order_lost.v1.json").write_text("{}")
    refused = manage("--directory", str(tmp_path), "--check")
    assert refused.returncode == 1
    assert "orders.order_lost.v1.json belongs to no event: bring its event back" in refused.stderr
