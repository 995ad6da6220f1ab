"""The JSON Schema of each event and version, and whether two releases understand each other's data.

During an upgrade both releases run, and old events stay. So each must be able to read the other's data.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from .events import Event, data_type

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What a schema says only to people.
ANNOTATIONS = ("title", "description", "$schema", "$id")
#: Where a schema contains others, and how a field's path shows them.
SUBSCHEMAS = {"items": "[]", "additionalProperties": "{{}}", "prefixItems": "[{}]", "anyOf": ""}


def file_name(event_type: type[Event]) -> str:
    """The name of the file with the schema of an event's current version."""
    return f"{event_type.wire_name}.v{event_type.wire_version}.json"


def schema_of(event_type: type[Event]) -> Schema:
    """The JSON Schema of an event's data."""
    description = " ".join((event_type.__doc__ or "").split())
    head = {"$schema": DIALECT, "$id": f"urn:event:{event_type.wire_name}:{event_type.wire_version}"}
    return {**head, "description": description, **msgspec.json.schema(data_type(event_type))}


def encode(schema: Schema) -> str:
    """A schema as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic")).decode() + "\n"


def read(file: Path) -> Schema:
    schema: Schema = msgspec.json.decode(file.read_bytes())
    return schema


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What one release would write and the other could not read, each with the field's path.

    A field with a default may be added, and a field may get a default. Nothing may be removed, renamed or retyped.
    """
    return sorted(_compare(old, new, roots=(old, new), path="", within=frozenset()))


def _compare(
    old: Schema, new: Schema, *, roots: tuple[Schema, Schema], path: str, within: frozenset[tuple[str, str]]
) -> list[str]:
    pair = old.get("$ref", ""), new.get("$ref", "")
    if all(pair):
        if pair in within:
            return []  # a type that contains itself: its comparison has begun
        within |= {pair}
    old, new = _resolve(old, roots[0]), _resolve(new, roots[1])
    found, compared = [], []
    if "properties" in old and "properties" in new:
        found += _compare_fields(old, new, roots=roots, path=path, within=within)
        compared += ["properties", "required"]
    for name, mark in SUBSCHEMAS.items():
        before, after = _subschemas(old.get(name)), _subschemas(new.get(name))
        if before and len(before) == len(after):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                found += _compare(one, other, roots=roots, path=f"{path}{mark.format(number)}", within=within)
            compared.append(name)
    return found + _differences(old, new, except_for=compared, path=path)


def _subschemas(part: Any) -> list[Schema]:
    """The schemas in a part; an empty list if it is not a schema, such as `false`."""
    if isinstance(part, dict):
        return [part]
    return part if isinstance(part, list) else []


def _compare_fields(
    old: Schema, new: Schema, *, roots: tuple[Schema, Schema], path: str, within: frozenset[tuple[str, str]]
) -> list[str]:
    found = []
    before, after = old["properties"], new["properties"]
    for name in before.keys() | after.keys():
        here = f"{path}.{name}".lstrip(".")
        if name not in after:
            found.append(f"{here} is gone")
        elif name not in before:
            if name in new.get("required", ()):
                found.append(f"{here} is new and has no default")
        else:
            found += _compare(before[name], after[name], roots=roots, path=here, within=within)
            if name in new.get("required", ()) and name not in old.get("required", ()):
                found.append(f"{here} has lost its default")
    return found


def _differences(old: Schema, new: Schema, *, except_for: Sequence[str], path: str) -> list[str]:
    left, right = (
        {key: one[key] for key in one if key not in (*except_for, *ANNOTATIONS, "$defs")} for one in (old, new)
    )
    if "default" not in left:
        right.pop("default", None)  # each stored event has the field
    return [] if left == right else [f"{path or 'the schema'} was {left} and is {right}"]


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], **rest}
    return schema
