"""The processes of a system while it is measured: started, stopped, looked at."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
#: Seconds between two looks at memory.
MEMORY_LOOK = 0.5


class NotReady(Exception):
    """A process ended, or did not get ready in time; the message has the end of what it printed."""


class Processes:
    """By name; each in a group of its own, its output in a file."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory, self._environment = directory, dict(environment)
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, command: Sequence[str], *, talks: bool = False) -> subprocess.Popen[str]:
        """Start one.

        Args:
            talks: the caller speaks with it by its standard input and output.
        """
        with self._log(name).open("a") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        return self._running[name]

    def wait_for(self, ready: Callable[[], bool], *, name: str, within: float = 90) -> None:
        """Wait until a process is ready.

        Raises:
            NotReady: it ended, or it takes too long.
        """
        deadline = time.monotonic() + within
        while not ready():
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"{name}: {self.printed(name)[-2000:]}")
            time.sleep(0.05)

    def printed(self, name: str) -> str:
        """What a process printed."""
        return self._log(name).read_text(errors="replace")

    def count_printed(self, text: str) -> int:
        """How often the processes printed a text."""
        return sum(log.read_text(errors="replace").count(text) for log in self._directory.glob("*.log"))

    def tails(self) -> str:
        """The end of what each printed."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def suspend(self, pids: Iterable[int]) -> None:
        """Have processes of these stand still, children and all."""
        for pid in pids:
            os.killpg(pid, signal.SIGSTOP)

    def resume(self, pids: Iterable[int]) -> None:
        """Have them go on."""
        for pid in pids:
            os.killpg(pid, signal.SIGCONT)

    def pids(self) -> dict[str, int]:
        """The pids of those that run."""
        return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def stop(self) -> None:
        """End all."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._running.values():
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"


class Meter:
    """CPU seconds and memory of process trees, by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self.peaks: dict[str, float] = dict.fromkeys(pids, 0.0)
        self._looked_at = 0.0
        self._before = self._cpu()

    def look_sometimes(self) -> None:
        """Note how much memory each has, unless that was done a moment ago."""
        if time.monotonic() - self._looked_at > MEMORY_LOOK:
            self._looked_at = time.monotonic()
            self.look()

    def look(self) -> None:
        """Note how much memory each has now: the largest of the processes in each tree, in MB."""
        for name, pid in self._pids.items():
            for process in tree(pid):
                with suppress(psutil.NoSuchProcess):
                    self.peaks[name] = max(self.peaks[name], process.memory_info().rss / 1e6)

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each since the beginning."""
        return {name: spent - self._before.get(name, 0.0) for name, spent in self._cpu().items()}

    def _cpu(self) -> dict[str, float]:
        return {name: sum(map(spent, tree(pid))) for name, pid in self._pids.items()}


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def spent(process: psutil.Process) -> float:
    """The CPU seconds of a process and of those children of it that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def ask(process: "subprocess.Popen[str]", *, printed: Callable[[], str] = str) -> Any:
    """The next line of JSON that a process says.

    Args:
        printed: what it printed otherwise, for the message.

    Raises:
        NotReady: it has ended.
    """
    assert process.stdout is not None, "it was not started to talk"  # noqa: S101
    line = process.stdout.readline()
    if not line:
        raise NotReady(f"{process.args!r} ended without an answer\n{printed()[-2000:]}")
    return json.loads(line)


def tell(process: "subprocess.Popen[str]") -> None:
    """Tell a process to begin."""
    assert process.stdin is not None, "it was not started to talk"  # noqa: S101
    process.stdin.write("go\n")
    process.stdin.flush()
