"""Keeps programs running side by side in one terminal: labels their output, restarts one that dies, stops them all.

honcho's printer makes the labels and colours. Its manager stops everything when one process ends, so the loop is ours:
one thread, woken by output and by signals.
"""

import ctypes
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import FrameType

from honcho.colour import get_colours
from honcho.printer import Message, Printer

#: Seconds that the programs have to end after SIGTERM, and then those that stop last; together less than 10.
STOP_LIMIT, LAST_STOP_LIMIT = 6.0, 2.0
#: Seconds before a program is started again: doubling while it keeps dying, reset once it has lived for a while.
FIRST_PAUSE, LONGEST_PAUSE, HEALTHY_AFTER = 0.5, 10.0, 30.0
#: A terminal or `timeout` may send the same Ctrl-C twice; a second one that a person means comes later.
SAME_INTERRUPT = 0.5

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Program:
    """Something to keep running."""

    name: str
    command: Sequence[str]
    #: Tells whether it can be used yet; the programs listed after it are started when it can.
    is_ready: Callable[[], bool] = lambda: True
    #: The others lean on it, so it is stopped after them.
    stops_last: bool = False


@dataclass(kw_only=True, eq=False)
class Child:
    """A program and the process that runs it now, if one does."""

    program: Program
    colour: str
    #: The ends of the pipe that all its processes, one after the other, write to.
    reading: int
    writing: int
    process: subprocess.Popen[bytes] | None = None
    unfinished_line: bytes = b""
    started_at: float = 0.0
    restart_at: float | None = None
    pause: float = FIRST_PAUSE


def new_child(program: Program, colour: str) -> Child:
    """A child that is yet to be started."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return Child(program=program, colour=colour, reading=reading, writing=writing)


def start_process(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], output: int
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own that, on Linux, is killed when this process vanishes."""
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it vanished before the line above
                os._exit(1)

    return subprocess.Popen(  # noqa: S603 - whoever calls this chose the command
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread runs when processes are started here
    )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with everything that it started, or what is left of that after its own end."""
    with suppress(ProcessLookupError):  # nothing is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stopping_signals() -> list[signal.Signals]:
    """The signals that ask a program to stop; nohup takes SIGHUP away."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def describe_end(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


class Supervisor:
    """Runs programs until SIGINT, SIGTERM or SIGHUP asks to stop."""

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
        """Start the programs in their order and keep them running; when this returns, none of them is left."""
        with self._signals():
            try:
                self._start_all()
                while self.asked_to_stop_at is None:
                    self._turn()
                self._say("stopping; Ctrl-C again stops at once")
                self._stop_all()
            finally:
                for child in self.children:
                    if child.process is not None:
                        kill_group(child.process)
            self._say("everything has stopped")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """While it is open, signals wake the loop."""
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
                signal.signal(number, signal.SIG_IGN)  # one more Ctrl-C must not spoil a clean end
            self.selector.close()
            wakes.close()
            wakened.close()

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self.asked_to_stop_at is None:
            self.asked_to_stop_at = monotonic()
        elif number == signal.SIGINT and monotonic() - self.asked_to_stop_at > SAME_INTERRUPT:
            self.stop_at_once = True

    def _start_all(self) -> None:
        for child in self.children:
            if self.asked_to_stop_at is None:
                self._start(child)
            while self.asked_to_stop_at is None and not child.program.is_ready():
                self._turn(timeout=0.1)
        if self.asked_to_stop_at is None:
            self._say(self.announcement)

    def _stop_all(self) -> None:
        for last, limit in ((False, STOP_LIMIT), (True, LAST_STOP_LIMIT)):
            stopping = [child for child in self.children if child.process and child.program.stops_last is last]
            for child in stopping:
                if child.process is not None:
                    child.process.terminate()
            deadline = monotonic() + limit
            while any(child.process for child in stopping) and monotonic() < deadline and not self.stop_at_once:
                self._turn(timeout=0.1)
            for child in stopping:
                if child.process is not None:
                    self._say(f"{child.program.name} did not stop by itself; killing it")
                    kill_group(child.process)

    def _start(self, child: Child) -> None:
        child.process = start_process(
            child.program.command, cwd=self.cwd, environment=self.environment, output=child.writing
        )
        child.started_at = monotonic()
        child.restart_at = None

    def _turn(self, *, timeout: float = 0.25) -> None:
        """Wait for something to happen; print what was written, notice what ended, start what is due again."""
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                os.read(key.fd, 4096)  # a signal, already handled
            else:
                self._read(key.data)
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, child.process)
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

    def _bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        """Clear away after a child that has ended, and have it started again unless all are to stop."""
        kill_group(process)  # a killed worker leaves its own children behind
        child.process = None
        while self._read(child):
            pass
        if child.unfinished_line:
            self._write(child.unfinished_line, name=child.program.name, colour=child.colour)
            child.unfinished_line = b""
        if self.asked_to_stop_at is None:
            if monotonic() - child.started_at >= HEALTHY_AFTER:
                child.pause = FIRST_PAUSE
            self._say(
                f"{child.program.name} {describe_end(process.returncode)}; starting it again in {child.pause:g} s"
            )
            child.restart_at = monotonic() + child.pause
            child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _say(self, text: str) -> None:
        self._write(text.encode(), name="up", colour=None)

    def _write(self, text: bytes, *, name: str, colour: str | None) -> None:
        # Whoever reads our output may have stopped reading: that must not keep us from stopping.
        while not select.select([], [self.printer.output], [], 0.1 if self.asked_to_stop_at is None else 0)[1]:
            if self.asked_to_stop_at is not None:
                return
        now = datetime.now().astimezone()
        try:
            self.printer.write(Message(type="line", data=text, time=now, name=name, colour=colour))
        except OSError:  # the terminal or the pipe's reader is gone, and with it whoever wanted this to run
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.printer.output.fileno())
            self._ask_to_stop(signal.SIGHUP, None)
