"""Text that a stranger sends to forge a line of a log, or to command the terminal that shows it."""

#: What each of them would do, as the id of a test, and the characters.
HOSTILE = {
    "a-line-end": "\n",
    "back-to-the-beginning-of-the-line": "\r",
    "clear-the-screen": "\x1b[2J",
    "set-the-title": "\x1b]0;owned\x07",
    "go-back": "\x08",
    "null": "\x00",
    "delete": "\x7f",
    "C1-control-sequence": "\x9b31m",
    "C1-next-line": "\x85",
    "right-to-left": "\u202e",
    "an-isolate": "\u2066",
    "a-line-separator": "\u2028",
    "a-paragraph-separator": "\u2029",
    "zero-width": "\u200b",
    "a-tag": "\U000e0041",
    "half-a-pair": "\udc80",
}
#: What follows in a text, and would look like a record if it began a line.
FORGED = "2026-11-28 12:00:00,000 ERROR forged: nothing is well"


def unsafe_letters(shown: str, *, allowed: str = "\n") -> str:
    """The letters in a text that a terminal may act on."""
    return "".join(letter for letter in shown if not letter.isprintable() and letter not in allowed)


def forged_lines(shown: str) -> list[str]:
    """The lines that begin as a record which nobody wrote."""
    return [line for line in shown.splitlines() if line.startswith(FORGED[:40])]


def assert_harmless(shown: str, *, allowed: str = "\n") -> None:
    assert unsafe_letters(shown, allowed=allowed) == ""
    assert forged_lines(shown) == []
