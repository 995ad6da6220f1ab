"""Output of rich through a command's `self.stdout`, so that `call_command(stdout=...)` captures all of it."""

from typing import IO, Any, cast

from django.core.management.base import OutputWrapper
from rich.console import Console


class _WithoutEnding:
    """A stream that writes texts as they are; OutputWrapper itself ends each with a new line."""

    def __init__(self, wrapped: OutputWrapper) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def write(self, text: str) -> int:
        self._wrapped.write(text, ending="")
        return len(text)


def rich_console(stdout: OutputWrapper, **options: Any) -> Console:
    """Return a console that prints to a command's `self.stdout`.

    Args:
        options: those of rich's Console.
    """
    return Console(file=cast("IO[str]", _WithoutEnding(stdout)), **options)
