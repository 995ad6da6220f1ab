"""Where commands print: nothing that comes from outside reaches a terminal as a command to it."""

from collections.abc import Iterable
from typing import Any, TextIO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from ..text import escaped


class EscapedOutput(OutputWrapper):
    """A command's output that escapes all but line ends and tabs. Styles are added after that, and work."""

    def __init__(self, output: OutputWrapper) -> None:
        super().__init__(stream_of(output), ending=output.ending)
        self.style_func = output.style_func

    def write(  # type: ignore[override]  # as Django's own
        self, msg: str = "", style_func: Any = None, ending: str | None = None
    ) -> None:
        super().write(escaped(msg, keep="\n\t"), style_func, ending)


class EscapedConsole(Console):
    """A rich console that shows text as it is: without markup and emoji codes, and with all but line ends escaped."""

    def __init__(self, output: OutputWrapper, **options: Any) -> None:
        plain = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(file=stream_of(output), **{**plain, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string a Text, escaped before its width is measured."""
        return super().render_str(escaped(text, keep="\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape whatever is left, such as in a Text. What has a control is rich's own, such as to move the cursor."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped(segment.text, keep="\n"))


def stream_of(output: OutputWrapper) -> TextIO:
    """The stream behind a command's output, which adds no line end and escapes nothing."""
    return cast("TextIO", output._out)  # noqa: SLF001 - Django has no other way to it
