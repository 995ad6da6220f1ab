"""What a line of text that people write may hold: names, reasons and messages, which stand in lists, logs and mails."""

import unicodedata
from collections.abc import Iterator

from django.core.exceptions import ValidationError

from project.errors import FieldError

#: Categories of Unicode that have no place in a line of text: control, format (such as bidi overrides), surrogate,
#: private use, and separators of lines and paragraphs.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
#: Letters, marks and symbols that nobody sees: joiners, fillers, vowels of Khmer, the blank of Braille.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
#: The longest reason or message.
MAX_TEXT_LENGTH = 500


def is_printable(text: str) -> bool:
    """Tell whether a text is one line without invisible characters."""
    return all(unicodedata.category(character) not in UNPRINTABLE for character in text)


def is_blank(text: str) -> bool:
    """Tell whether nobody sees anything of a text."""
    return all(map(_is_invisible, text))


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    if category in UNPRINTABLE or category == "Zs" or character in BLANK:
        return True
    # These only select a variant of the character before them.
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def validate_line(text: str) -> None:
    """Refuse what is not one line that can be read; for the fields of models.

    Raises:
        ValidationError: saying what to change.
    """
    if not is_printable(text):
        raise ValidationError("Write it in one line, without invisible characters.", code="unprintable")
    if text and is_blank(text):
        raise ValidationError("Write something that can be seen.", code="blank")


def line_errors(field: str, text: str) -> Iterator[FieldError]:
    """The errors of a reason or a message, for operations. An empty one has none."""
    if len(text) > MAX_TEXT_LENGTH:
        detail = f"Has {len(text)} characters; the maximum is {MAX_TEXT_LENGTH}. Shorten it."
        yield FieldError(field=field, code="max_length", detail=detail)
    if not is_printable(text):
        detail = "Write it in one line, without invisible characters."
        yield FieldError(field=field, code="unprintable", detail=detail)
