"""Strict input: what is sent is what was meant. No number from a string, no field ignored in silence."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

#: So many unknown fields are named, and so much of each name: an answer must not grow with nonsense.
MOST_UNKNOWN_FIELDS = 10
LONGEST_NAME = 50


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know or that cannot be written."""

    def to_internal_value(self, data: Any) -> Any:
        """The validated input; every error at once."""
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            writable = [name for name, field in self.fields.items() if not field.read_only]
            detail = f"There is no such field to set. Fields: {', '.join(writable)}."
            unknown = [name for name in data if name not in writable][:MOST_UNKNOWN_FIELDS]
            errors = {str(name)[:LONGEST_NAME]: [ErrorDetail(detail, "unknown_field")] for name in unknown}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**errors, **error.detail}) from error  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class TextField(serializers.CharField):
    """A JSON string; the framework's own field also takes numbers."""

    default_error_messages = {"invalid": "Must be a text, in quotation marks."}

    def to_internal_value(self, data: Any) -> str:
        """The text, refused when it is anything but a string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    """A JSON integer; the framework's own field also takes "3", 3.0 and true."""

    default_error_messages = {"invalid": "Must be a whole number, as in 3: no quotation marks, no decimal point."}

    def to_internal_value(self, data: Any) -> int:
        """The number, refused when it is anything but an integer."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class FlagField(serializers.BooleanField):
    """A JSON true or false; the framework's own field also takes "yes" and 1."""

    default_error_messages = {"invalid": "Must be true or false, without quotation marks."}

    def to_internal_value(self, data: Any) -> bool:
        """The flag, refused when it is anything but a boolean."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class ShortListField(serializers.ListField):
    """A list whose length is looked at before any of its items: an answer must not grow with nonsense."""

    def __init__(self, *, most: int, **options: Any) -> None:
        self.most = most
        super().__init__(allow_empty=False, max_length=most, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        """The items."""
        if isinstance(data, list) and len(data) > self.most:
            detail = f"Has {len(data)} items; at most {self.most} are possible. Split it into several requests."
            raise serializers.ValidationError(detail, code="max_length")
        return super().to_internal_value(data)
