"""The errors of operations. The API turns them into problem documents, the admin into messages."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """An error in one field of the input, with its remedy."""

    #: The path of the field, such as "lines[2].sku".
    field: str
    #: For programs: does not change when the text does.
    code: str
    detail: str


class InvalidInput(ValueError):
    """The input is not valid, and nothing was changed. The API answers 400."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))
        self.errors = errors


class Conflict(Exception):
    """The input is valid, but the present state forbids it, and nothing was changed. The API answers 409."""

    code = "conflict"


class QuotaExceeded(Exception):
    """The input is valid, but the account has used all that it may, and nothing was changed. The API answers 429."""

    def __init__(self, detail: str, *, code: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.code = code
        #: After how many seconds it is worth another try.
        self.retry_after_s = retry_after_s
