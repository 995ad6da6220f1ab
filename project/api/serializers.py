"""Strict input: a string is not taken for a number, and unknown fields are refused instead of ignored."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

#: An error names this many unknown fields, and this many characters of each: its size is bounded.
MAX_UNKNOWN_NAMES = 10
MAX_NAME_LENGTH = 50


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown and read-only fields."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated input, or raise all errors at once."""
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            writable = [name for name, field in self.fields.items() if not field.read_only]
            detail = f"Unknown field. Fields: {', '.join(writable)}."
            unknown = [name for name in data if name not in writable][:MAX_UNKNOWN_NAMES]
            errors = {str(name)[:MAX_NAME_LENGTH]: [ErrorDetail(detail, "unknown_field")] for name in unknown}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**errors, **error.detail}) from error  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class StrictCharField(serializers.CharField):
    """Accepts a JSON string; the framework's own field also accepts numbers."""

    default_error_messages = {"invalid": "Must be a string, in quotation marks."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Count spaces around the text, which are removed later, too: the description of the API does not know them."""
        if isinstance(data, str) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


#: As in 4 or 4.50.
MONEY = r"^[0-9]{1,10}(\.[0-9]{1,2})?$"


@extend_schema_field({"type": "string", "format": "decimal", "pattern": MONEY, "maxLength": 13})
class MoneyField(serializers.DecimalField):
    """Accepts an amount as a JSON string; the framework's own field also accepts numbers, and "1e3"."""

    default_error_messages = {"invalid": 'Must be an amount such as "4.50", in quotation marks, up to 9999999999.99.'}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=12, decimal_places=2, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(MONEY, data) or data.endswith("\n"):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictIntegerField(serializers.IntegerField):
    """Accepts a JSON integer; the framework's own field also accepts "3", 3.0 and true."""

    default_error_messages = {"invalid": "Must be a whole number such as 3, without quotation marks or decimal point."}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictBooleanField(serializers.BooleanField):
    """Accepts true or false; the framework's own field also accepts "yes" and 1."""

    default_error_messages = {"invalid": "Must be true or false, without quotation marks."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class BoundedListField(serializers.ListField):
    """A list whose length is checked before its items, so that the size of an error is bounded."""

    def __init__(self, *, max_items: int, **options: Any) -> None:
        self.max_items = max_items
        super().__init__(allow_empty=False, max_length=max_items, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > self.max_items:
            detail = f"Has {len(data)} items; the maximum is {self.max_items}. Split it into several requests."
            raise serializers.ValidationError(detail, code="max_length")
        return super().to_internal_value(data)
