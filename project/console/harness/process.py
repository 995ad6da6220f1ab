"""A single process: start it, wait until it is ready, stop it with everything that it started."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from project.console.harness import programs

LOOPBACK = "127.0.0.1"
POLL_S = 0.02
PR_SET_PDEATHSIG = 1

Answer = TypeVar("Answer")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class NotReady(Exception):
    """A process ended, or something did not happen in time."""


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes] = subprocess.STDOUT,
    stdin: int = subprocess.DEVNULL,
    dies_with_parent: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own.

    Args:
        dies_with_parent: on Linux, the kernel kills it when the thread that started it ends. Only for callers with a
            single thread: the code runs between fork and exec.
    """
    parent = os.getpid()

    def die_with_parent() -> None:  # pragma: no cover - between fork and exec nothing can be saved
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it vanished before the line above
                os._exit(1)

    return subprocess.Popen(  # noqa: S603 - the caller chooses the command
        command,
        cwd=cwd,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=die_with_parent if dies_with_parent else None,  # noqa: PLW1509 - see dies_with_parent
    )


def run_manage(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end and capture its output; it may fail."""
    return subprocess.run(  # noqa: S603 - a command of the project
        programs.manage(*arguments), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def wait_until(
    check: Callable[[], Answer],
    *,
    within_s: float,
    what: str,
    process: subprocess.Popen[bytes] | None = None,
) -> Answer:
    """Return the first true answer of a check.

    Args:
        what: what is waited for, for the message of the error.
        process: stop waiting when it has ended.

    Raises:
        NotReady: the time is over, or the process has ended.
    """
    deadline = time.monotonic() + within_s
    while not (answer := check()):
        if process is not None and process.poll() is not None:
            raise NotReady(f"the process {describe_end(process.returncode)} before this: {what}")
        if time.monotonic() > deadline:
            raise NotReady(f"not within {within_s:g} s: {what}")
        time.sleep(POLL_S)
    return answer


def stop(process: subprocess.Popen[bytes], *, limit_s: float) -> bool:
    """Send SIGTERM, then `wait_or_kill`."""
    process.terminate()
    return wait_or_kill(process, limit_s=limit_s)


def wait_or_kill(process: subprocess.Popen[bytes], *, limit_s: float) -> bool:
    """Kill the whole group if the process has not ended within the limit; whether it ended itself."""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return False
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything that it started, or what its own end left of that."""
    with suppress(ProcessLookupError):  # nothing is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def describe_end(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def stopping_signals() -> list[signal.Signals]:
    """The signals that ask a program to stop; without SIGHUP under nohup."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def free_port() -> int:
    """A port of the loopback address that nothing uses at the moment."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether anything listens on a port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
