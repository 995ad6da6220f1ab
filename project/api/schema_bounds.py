"""The bounds of values in the OpenAPI description: taken from the fields and columns that have them."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from rest_framework import serializers

from project.api.serializers import StrictCharField

#: Of text without a limit of its own, such as the reason of an event's handler, and of lists that have no pages.
MAX_TEXT_LENGTH, MAX_ITEMS = 100_000, 5000
WITHOUT_NUL, NOT_BLANK = r"^[^\x00]*$", r"^[^\x00]*[^\s\x00][^\x00]*$"


def add_bounds(schema: dict[str, Any], field: serializers.Field[Any, Any, Any, Any]) -> dict[str, Any]:
    """Add what the framework leaves out of a field's schema, most of all where the field is read-only."""
    column = column_of(field)
    match schema.get("type"):
        case "string" if isinstance(field, serializers.DecimalField):
            whole = (field.max_digits or 0) - (field.decimal_places or 0)
            schema["pattern"] = rf"^-?\d{{1,{whole}}}\.\d{{{field.decimal_places}}}$"
            schema["maxLength"] = (field.max_digits or 0) + 2
        case "string" if isinstance(field, StrictCharField):
            schema.setdefault("pattern", NOT_BLANK if field.trim_whitespace and not field.allow_blank else WITHOUT_NUL)
        case "string" if schema.get("format") not in ("uuid", "date-time") and "enum" not in schema:
            schema.setdefault("maxLength", getattr(column, "max_length", None) or MAX_TEXT_LENGTH)
        case "string" if "enum" in schema and getattr(column, "blank", False):
            schema["enum"] = [*schema["enum"], ""]
        case "integer":
            kind = column.get_internal_type() if column is not None else ""
            least, most = BaseDatabaseOperations.integer_field_ranges.get(kind, (0, 2**63 - 1))
            schema.setdefault("minimum", least)
            schema.setdefault("maximum", most)
        case "array":
            schema.setdefault("maxItems", getattr(field, "max_length", None) or MAX_ITEMS)
            if not getattr(field, "allow_empty", True):
                schema["minItems"] = 1
    return schema


def column_of(field: serializers.Field[Any, Any, Any, Any]) -> "models.Field[Any, Any] | None":
    """Return the column that a field shows, if it is one."""
    model: Any = getattr(getattr(field.parent, "Meta", None), "model", None)
    found: models.Field[Any, Any] | None = None
    for name in field.source_attrs if model is not None else ():
        try:
            found = model._meta.get_field(name)
        except FieldDoesNotExist:
            return None
        model = found.related_model
    return found


def close_objects(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Hook of drf-spectacular: no object has properties that are not described."""
    for schema in result["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for name, value in schema.get("properties", {}).items():
            match value:
                # A text that may be empty: the framework offers "" beside it, so that "" is both and thus neither.
                case {"oneOf": [text, {"maxLength": 0}]}:
                    schema["properties"][name] = text
    return result


def add_parameter_bounds(parameter: dict[str, Any], *, options: Mapping[str, Any]) -> None:
    """Add the bounds of a parameter in the path or the query string.

    Args:
        options: of a filter.
    """
    schema = parameter["schema"]
    if parameter["in"] == "path" and schema["type"] == "string" and "format" not in schema:
        schema |= {"minLength": 1, "maxLength": 64}
    elif schema["type"] == "integer" and "minimum" not in schema:
        schema |= {"minimum": 0, "maximum": 2**63 - 1}
    elif "choices" in options:
        parameter["schema"] = {"type": "string", "enum": [value for value, _ in options["choices"]]}
    elif "max_length" in options:
        schema |= {"minLength": 1, "maxLength": options["max_length"], "pattern": NOT_BLANK}
