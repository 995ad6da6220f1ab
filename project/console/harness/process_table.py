"""Several processes by name, each with a log file."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from project.console.harness import process

#: Importing the whole project takes seconds on a busy machine.
READY_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0


class ProcessTable:
    """Processes that share a directory for their logs and an environment."""

    def __init__(self, directory: Path, *, cwd: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        #: Of the processes that are started from now on: another release may be there.
        self.cwd = cwd
        self.environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process, with these variables besides those that all of them have."""
        environment = {**self.environment, **environment}
        with self.log(name).open("ab") as log:
            self.processes[name] = process.start(command, cwd=self.cwd, environment=environment, stdout=log)
        return self.processes[name]

    def start_with_pipes(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process whose standard input and output are pipes to the caller; its errors go to its log."""
        with self.log(name).open("ab") as log:
            self.processes[name] = process.start(
                command,
                cwd=self.cwd,
                environment=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        return self.processes[name]

    def wait_until_ready(self, name: str, check: Callable[[], bool], *, within_s: float = READY_LIMIT_S) -> None:
        """Wait until a check of a process succeeds.

        Raises:
            NotReady: it ended or took too long; the message has the end of its log.
        """
        try:
            process.wait_until(check, within_s=within_s, what=f"{name} is ready", process=self.processes[name])
        except process.NotReady as error:
            raise process.NotReady(f"{error}\n{self.printed(name)[-2000:]}") from None

    def wait_for_worker(self, name: str) -> None:
        """Wait until a worker says that it is ready."""
        self.wait_until_ready(name, lambda: " ready." in self.printed(name))

    def pids(self) -> dict[str, int]:
        """Of the processes that have not ended."""
        return {name: running.pid for name, running in self.processes.items() if running.poll() is None}

    def log(self, name: str) -> Path:
        """The file that a process prints into."""
        return self.directory / f"{name}.log"

    def printed(self, name: str) -> str:
        """What a process has printed so far."""
        return self.log(name).read_text(errors="replace")

    def tails(self, *, characters: int = 1500) -> str:
        """The end of each log."""
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-characters:]}" for log in logs)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end; it may fail."""
        return process.run_manage(*arguments, cwd=self.cwd, environment=self.environment)

    def terminate(self, *names: str) -> dict[str, subprocess.Popen[bytes]]:
        """Send SIGTERM to processes, as a deployment does, and wait for them to end.

        Raises:
            NotReady: a process did not end; it is killed.
        """
        ended = {name: self.processes.pop(name) for name in names}  # first, so that no other thread restarts them
        for running in ended.values():
            running.terminate()
        # No second SIGTERM: a worker takes it for a cold shutdown.
        killed = [name for name, running in ended.items() if not process.wait_or_kill(running, limit_s=STOP_LIMIT_S)]
        if killed:
            raise process.NotReady(f"not ended {STOP_LIMIT_S:g} s after SIGTERM: {', '.join(killed)}")
        return ended

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process and everything that it started."""
        killed = self.processes.pop(name)
        process.kill_group(killed)
        for pipe in (killed.stdin, killed.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def kill_all(self) -> None:
        """Leave no process."""
        for name in list(self.processes):
            self.kill(name)
