"""Fault points: places where a process looks whether a test wants it to die just there.

They exist only in processes that import tests.faults.worker, tests.faults.relay or tests.faults.web, and do something
only while the directory FAULT_DIR holds a file `armed.POINT`. The first process that gets there takes it (renaming is
atomic), so one arming fells one process, and `fired.POINT.PID` proves where it fell.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path

ACTIONS = ("kill", "stop", "raise")


def arm(directory: Path, point: str, *, action: str = "kill", handler: str = "") -> None:
    """Have the next process that gets to a point do something.

    Args:
        action: kill itself by SIGKILL, stop itself by SIGSTOP, or raise.
        handler: only while it works for this handler; empty: for any.
    """
    if action not in ACTIONS:
        raise ValueError(f"action {action!r} is none of {', '.join(ACTIONS)}")
    waiting = directory / f"new.{point}"
    waiting.write_text(json.dumps({"action": action, "handler": handler}))
    waiting.rename(directory / f"armed.{point}")


def fired(directory: Path, point: str) -> list[int]:
    """The processes that got to an armed point, and forget them."""
    files = list(directory.glob(f"fired.{point}.*"))
    for file in files:
        file.unlink()
    return [int(file.suffix.lstrip(".")) for file in files]


def say_time() -> None:
    """Called by a process as it starts: writes down what it takes the time to be, if a test has set its clock."""
    if "FAKETIME" in os.environ:
        (Path(os.environ["FAULT_DIR"]) / f"clock.{os.getpid()}").write_text(str(time.time()))


def reached(point: str, *, handler: str = "") -> None:
    """Called by a process at a point: does what it is armed for, if it is."""
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
            # To this thread: else it may run on for a moment, until another has taken the signal for all.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        case "raise":
            raise RuntimeError(f"the fault point {point} was armed")
