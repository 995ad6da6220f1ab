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


class TryLater(Exception):
    """Nothing was checked or changed. The same may work after `wait` seconds, which the answer has as Retry-After."""

    code = "try_later"

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class LimitReached(TryLater):
    """An account or an address has used all that it may. The API answers 429."""


class TooManyAttempts(LimitReached):
    """An account or an address had too many failed attempts."""

    code = "throttled"


class QuotaExceeded(LimitReached):
    """The input is valid, but the account has used all that it may."""

    def __init__(self, message: str, *, code: str, wait: int) -> None:
        super().__init__(message, wait=wait)
        self.code = code


class Busy(TryLater):
    """This process has too much to do. The API answers 503."""

    code = "busy"
