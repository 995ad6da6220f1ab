"""Fault points: places at which a process checks whether a test wants it to fail there.

They exist only in processes that import tests.faults.worker, tests.faults.relay or tests.faults.web, and only while the
directory FAULT_DIR holds a file `armed.POINT`. The first process that reaches the point renames the file, which is
atomic, so exactly one process fails. The new name, `fired.POINT.PID`, says which one.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path

ACTIONS = ("kill", "stop", "raise")


def arm(directory: Path, point: str, *, action: str = "kill", handler: str = "") -> None:
    """Have the next process that reaches a point do something.

    Args:
        action: "kill" sends itself SIGKILL, "stop" sends itself SIGSTOP, "raise" raises an exception.
        handler: only while it runs this handler; empty for any.
    """
    if action not in ACTIONS:
        raise ValueError(f"action {action!r} must be one of {', '.join(ACTIONS)}")
    waiting = directory / f"new.{point}"
    waiting.write_text(json.dumps({"action": action, "handler": handler}))
    waiting.rename(directory / f"armed.{point}")


def fired(directory: Path, point: str) -> list[int]:
    """The processes that reached an armed point; each is returned once."""
    files = list(directory.glob(f"fired.{point}.*"))
    for file in files:
        file.unlink()
    return [int(file.suffix.lstrip(".")) for file in files]


def record_clock() -> None:
    """Write down the process's own time when it starts, if a test has set its clock."""
    if "FAKETIME" in os.environ:
        (Path(os.environ["FAULT_DIR"]) / f"clock.{os.getpid()}").write_text(str(time.time()))


def reached(point: str, *, handler: str = "") -> None:
    """Do at a point what it is armed for, if anything."""
    directory = Path(os.environ["FAULT_DIR"])
    armed = directory / f"armed.{point}"
    try:
        order = json.loads(armed.read_text())
        if order["handler"] not in ("", handler):
            return
        armed.rename(directory / f"fired.{point}.{os.getpid()}")
    except FileNotFoundError:
        return
    match order["action"]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            # To this thread: otherwise it may run on until another thread has taken the signal for the whole process.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        case "raise":
            raise RuntimeError(f"the fault point {point} was armed")
