"""Finds the processes that a test started."""

import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil


class ProcessMarker:
    """Marks the processes of a test with an environment variable, which children inherit.

    Redis overwrites its environment with its title, so it is found by the directory in its command line.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.environment = {"ORDERLY_TEST_MARKER": uuid.uuid4().hex}

    def processes(self) -> list[psutil.Process]:
        """Return the marked processes that run."""
        return [process for process in psutil.process_iter() if self._is_marked(process)]

    def leftovers(self) -> list[psutil.Process]:
        """Return the marked processes that still run a second later; a killed process may need as long to end."""
        deadline = time.monotonic() + 1
        while (living := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return living

    def kill(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _is_marked(self, process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            in_title = any(self.directory in word for word in process.cmdline())
            return is_alive(process) and (in_title or self.environment.items() <= process.environ().items())
        return False


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
