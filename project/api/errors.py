"""What an operation raises when it refuses; the API turns each into a problem document, admin into a message."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field of the input, and what to do about it."""

    #: The field's path, such as "lines[2].sku".
    field: str
    #: For programs: stays the same when the text is reworded.
    code: str
    detail: str


class InvalidInput(ValueError):
    """The input cannot be accepted, and nothing was changed. The API answers 400."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))
        self.errors = errors


class Conflict(Exception):
    """The input is fine, but the present state forbids it, and nothing was changed. The API answers 409."""

    code = "conflict"
