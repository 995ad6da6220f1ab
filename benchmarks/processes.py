"""Processes of a measured system, which the benchmark suspends and talks to."""

import json
import os
import signal
from collections.abc import Iterable
from typing import IO, Any

from project.console.harness.process import NotReady
from project.console.harness.process_table import ProcessTable


class MeasuredProcesses(ProcessTable):
    """Processes that can be suspended, and that exchange lines with the benchmark."""

    def count_printed(self, text: str) -> int:
        """How often the processes printed a text."""
        return sum(log.read_text(errors="replace").count(text) for log in self.directory.glob("*.log"))

    def suspend(self, pids: Iterable[int]) -> None:
        """Stop the process groups of these processes."""
        for pid in pids:
            os.killpg(pid, signal.SIGSTOP)

    def resume(self, pids: Iterable[int]) -> None:
        """Continue the process groups of these processes."""
        for pid in pids:
            os.killpg(pid, signal.SIGCONT)

    def ask(self, name: str, *command: str) -> Any:
        """Start a process and return the first line of JSON that it says.

        Raises:
            NotReady: it ended first.
        """
        self.start_with_pipes(name, *command)
        return self.receive(name)

    def receive(self, name: str) -> Any:
        """The next line of JSON that a process says.

        Raises:
            NotReady: it ended first; the message has the end of its log.
        """
        line = self.output(name).readline()
        if not line:
            raise NotReady(f"{name} ended without an answer\n{self.printed(name)[-2000:]}")
        return json.loads(line)

    def output(self, name: str) -> IO[bytes]:
        """The pipe that a process writes its lines into."""
        output = self.processes[name].stdout
        assert output is not None, "it was started without pipes"  # noqa: S101
        return output

    def tell(self, name: str) -> None:
        """Tell a process that waits for a line to begin."""
        process = self.processes[name]
        assert process.stdin is not None, "it was started without pipes"  # noqa: S101
        process.stdin.write(b"go\n")
        process.stdin.flush()
