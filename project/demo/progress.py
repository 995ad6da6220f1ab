"""The progress of a command: bars in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.core.management.base import OutputWrapper
from rich import progress as rich_progress

from project.bus.management.output import EscapedConsole
from project.bus.text import escaped

#: Between two lines about the same step where there is no terminal.
LINE_INTERVAL_S = 5.0


class Progress(Protocol):
    """Receives how much of a step is done."""

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None: ...


@contextmanager
def show_progress(stdout: OutputWrapper) -> Iterator[Progress]:
    """Print what the Progress receives to a command's `self.stdout`, while this is open."""
    console = EscapedConsole(stdout)
    if not console.is_terminal:
        yield _Lines(stdout)
        return
    columns = (
        rich_progress.TextColumn("{task.description:10}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[note]}", markup=False),
    )
    with rich_progress.Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: rich_progress.Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, rich_progress.TaskID] = {}

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None:
        step, note = escaped(step), escaped(note)
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, note=note)
        self._bars.update(self._tasks[step], completed=done, note=note)


class _Lines:
    def __init__(self, stdout: OutputWrapper) -> None:
        self._stdout = stdout
        self._printed: dict[str, tuple[float, str]] = {}

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None:
        line = escaped(f"  {step} {done}/{total}{f' ({note})' if note else ''}")
        at, before = self._printed.get(step, (0.0, ""))
        if line != before and (done == total or time.monotonic() - at >= LINE_INTERVAL_S):
            self._printed[step] = (time.monotonic(), line)
            self._stdout.write(line)
            self._stdout.flush()
