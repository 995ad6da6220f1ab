"""Text from outside, made safe to show: in a terminal, a log or a table."""


def escaped(text: str, *, keep: str = "") -> str:
    r"""Escape what is not printable, so that text can neither command a terminal nor begin a line of its own.

    These are control characters, line ends, marks that turn the direction of text, and lone surrogates. A stranger may
    have written the text: a path, a name, a file, a message, or an error that quotes one of these.

    Args:
        keep: characters that stay as they are, such as the line ends of a text of several lines.

    Example::

        escaped("a\x1b[2J")  # 'a\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def indented(text: str) -> str:
    """Indent each line of a text such as a traceback, and escape the rest, so that none of them looks like a record."""
    return "\n".join("    " + escaped(line) for line in text.rstrip("\n").split("\n"))
