"""The progress of a command, on a terminal and elsewhere."""

import re
from io import StringIO

from django.core.management.base import OutputWrapper

from project.demo.progress import show_progress


class Terminal(StringIO):
    """A terminal, for what asks whether it is one."""

    def isatty(self) -> bool:
        return True


def printed(out: StringIO) -> str:
    """What two steps print."""
    with show_progress(OutputWrapper(out)) as progress:
        for done in range(3):
            progress("users", done, 2)
        for done in range(5):
            progress("orders", done, 4, note="none refused")
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())


def test_a_terminal_shows_a_bar_for_each_step(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    *_, users, orders = [line for line in re.split(r"[\r\n]+", printed(Terminal())) if line.strip()]
    assert re.fullmatch(r"users +━+ 2/2\s*", users)
    assert re.fullmatch(r"orders +━+ 4/4 none refused\s*", orders)


def test_elsewhere_a_line_is_printed_at_the_end_of_each_step():
    lines = printed(StringIO()).splitlines()
    assert "  users 2/2" in lines
    assert "  orders 4/4 (none refused)" in lines
    assert not [line for line in lines if "━" in line]
