"""Keeps programs running side by side in one terminal: labels their output, restarts one that dies, stops them all.

honcho's printer makes the labels and colours. honcho's manager stops everything when one process ends, so this module
has its own loop: a single thread that output and signals wake.
"""

import os
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import FrameType

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from project.bus.text import escaped
from project.console.harness.process import describe_end, kill_group, start, stopping_signals

#: After SIGTERM, for most programs and then for those that stop last; together less than 10.
STOP_LIMIT_S, LAST_STOP_LIMIT_S = 6.0, 2.0
#: The delay before a restart doubles while a program keeps dying, and is reset after it has lived for a while.
FIRST_RESTART_DELAY_S, MAX_RESTART_DELAY_S, HEALTHY_AFTER_S = 0.5, 10.0, 30.0
#: A terminal or `timeout` may send the same Ctrl-C twice; a second one that a person means comes later.
REPEATED_INTERRUPT_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to keep running."""

    name: str
    command: Sequence[str]
    #: Whether it can be used yet; the programs listed after it start only then.
    is_ready: Callable[[], bool] = lambda: True
    #: The others need it, so it stops after them.
    stops_last: bool = False
    #: What it has in its environment beside that of the supervisor.
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class Child:
    """A program and the process that runs it now, if any."""

    program: Program
    colour: str
    #: The ends of the pipe that its processes write to, one process after the other.
    reading: int
    writing: int
    process: subprocess.Popen[bytes] | None = None
    unfinished_line: bytes = b""
    started_at: float = 0.0
    restart_at: float | None = None
    restart_delay_s: float = FIRST_RESTART_DELAY_S


def new_child(program: Program, colour: str) -> Child:
    """A child that has not been started."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return Child(program=program, colour=colour, reading=reading, writing=writing)


class Supervisor:
    """Runs programs until SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, programs: Iterable[Program], *, cwd: Path, announcement: str) -> None:
        self.children = [new_child(program, colour) for program, colour in zip(programs, get_colours(), strict=False)]
        self.cwd = cwd
        self.environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        self.announcement = announcement
        self.printer = Printer(
            sys.stdout,
            width=max(len(child.program.name) for child in self.children),
            colour="NO_COLOR" not in os.environ,
        )
        self.selector = selectors.DefaultSelector()
        self.asked_to_stop_at: float | None = None
        self.stop_at_once = False

    def run(self) -> None:
        """Start the programs in order and keep them running; when this returns, no process is left."""
        with self._signals():
            try:
                self._start_all()
                while self.asked_to_stop_at is None:
                    self._run_once()
                self._say("stopping; Ctrl-C again stops at once")
                self._stop_all()
            finally:
                for child in self.children:
                    if child.process is not None:
                        kill_group(child.process)
            self._say("everything has stopped")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Have signals wake the loop."""
        wakes, wakened = socket.socketpair()
        wakes.setblocking(False)
        wakened.setblocking(False)
        for number in stopping_signals():
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        self.selector.register(wakened, selectors.EVENT_READ, None)
        for child in self.children:
            self.selector.register(child.reading, selectors.EVENT_READ, child)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number in stopping_signals():
                signal.signal(number, signal.SIG_IGN)  # another Ctrl-C must not spoil a clean end
            self.selector.close()
            wakes.close()
            wakened.close()

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self.asked_to_stop_at is None:
            self.asked_to_stop_at = monotonic()
        elif number == signal.SIGINT and monotonic() - self.asked_to_stop_at > REPEATED_INTERRUPT_S:
            self.stop_at_once = True

    def _start_all(self) -> None:
        for child in self.children:
            if self.asked_to_stop_at is None:
                self._start(child)
            while self.asked_to_stop_at is None and not child.program.is_ready():
                self._run_once(timeout=0.1)
        if self.asked_to_stop_at is None:
            self._say(self.announcement)

    def _stop_all(self) -> None:
        for last, limit_s in ((False, STOP_LIMIT_S), (True, LAST_STOP_LIMIT_S)):
            stopping = [child for child in self.children if child.process and child.program.stops_last is last]
            for process in [child.process for child in stopping if child.process]:
                process.terminate()
            deadline = monotonic() + limit_s
            while any(child.process for child in stopping) and monotonic() < deadline and not self.stop_at_once:
                self._run_once(timeout=0.1)
            for child in stopping:
                if child.process is not None:
                    self._say(f"{child.program.name} did not stop by itself; killing it")
                    kill_group(child.process)

    def _start(self, child: Child) -> None:
        child.process = start(
            child.program.command,
            cwd=self.cwd,
            environment={**self.environment, **child.program.environment},
            stdout=child.writing,
            dies_with_parent=True,
        )
        child.started_at = monotonic()
        child.restart_at = None

    def _run_once(self, *, timeout: float = 0.25) -> None:
        """Wait for output or a signal; print the output, clear away what ended, restart what is due."""
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                os.read(key.fd, 4096)  # of a signal, which is handled already
            else:
                self._read(key.data)
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._clear_away(child, child.process)
            elif child.restart_at is not None and monotonic() >= child.restart_at and self.asked_to_stop_at is None:
                self._start(child)

    def _read(self, child: Child) -> bool:
        """Print what the child has written; False when there is nothing to read now."""
        try:
            written = os.read(child.reading, 65536)
        except BlockingIOError:
            return False
        *lines, child.unfinished_line = (child.unfinished_line + written).split(b"\n")
        for line in lines:
            self._write(line, name=child.program.name, colour=child.colour)
        return True

    def _clear_away(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        """Kill what an ended child left, and schedule its restart unless everything is to stop."""
        kill_group(process)  # a killed worker leaves its own children behind
        child.process = None
        while self._read(child):
            pass
        if child.unfinished_line:
            self._write(child.unfinished_line, name=child.program.name, colour=child.colour)
            child.unfinished_line = b""
        if self.asked_to_stop_at is None:
            if monotonic() - child.started_at >= HEALTHY_AFTER_S:
                child.restart_delay_s = FIRST_RESTART_DELAY_S
            end = describe_end(process.returncode)
            self._say(f"{child.program.name} {end}; starting it again in {child.restart_delay_s:g} s")
            child.restart_at = monotonic() + child.restart_delay_s
            child.restart_delay_s = min(child.restart_delay_s * 2, MAX_RESTART_DELAY_S)

    def _say(self, text: str) -> None:
        for line in text.split("\n"):
            self._write(line.encode(), name="up", colour=None)

    def _write(self, line: bytes, *, name: str, colour: str | None) -> None:
        text = escaped(line.decode(errors="backslashreplace"), keep="\t")
        # The reader of our output may have stopped reading, and we must be able to stop all the same.
        while not select.select([], [self.printer.output], [], 0.1 if self.asked_to_stop_at is None else 0)[1]:
            if self.asked_to_stop_at is not None:
                return
        now = datetime.now().astimezone()
        try:
            self.printer.write(Message(type="line", data=text, time=now, name=name, colour=colour))
        except OSError:  # the terminal or the pipe's reader is gone, so stop
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.printer.output.fileno())
            self._ask_to_stop(signal.SIGHUP, None)
