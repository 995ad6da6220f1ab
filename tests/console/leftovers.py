"""Finds the processes of one test among all that run."""

import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil


class Marker:
    """What only the processes of one test have: a variable in their environment, which every process inherits.

    Redis writes its title over its environment; it is found by the directory that it is called with.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.environment = {"ORDERLY_TEST_MARKER": uuid.uuid4().hex}

    def processes(self) -> list[psutil.Process]:
        """Those that live, this process aside."""
        return [process for process in psutil.process_iter() if self._is_on(process)]

    def left(self) -> list[psutil.Process]:
        """Those that live on; one that was killed a moment ago is given a second to be gone."""
        deadline = time.monotonic() + 1
        while (living := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return living

    def kill(self) -> None:
        """End them all."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _is_on(self, process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            in_title = any(self.directory in word for word in process.cmdline())
            return lives(process) and (in_title or self.environment.items() <= process.environ().items())
        return False


def lives(process: psutil.Process) -> bool:
    """Whether it runs; one that is dead and waits for whoever inherited it to read its exit code does not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
