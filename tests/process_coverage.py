"""A plugin of coverage: each process saves its data often, because tests end most of them with SIGKILL.

Coverage itself saves when a process exits, and a killed process does not exit. `make coverage` uses this module
(pyproject.toml names it); nothing else does.
"""

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

from coverage import Coverage

#: Seconds between two saves; wait_for_coverage() in tests/services.py waits for two.
INTERVAL_S = 0.5

# A process that forked during a save would leave its child with SQLite's locks taken. Reentrant, because coverage saves
# in its handler of SIGTERM, too, which can interrupt the holder.
_saving = threading.RLock()
os.register_at_fork(before=_saving.acquire, after_in_parent=_saving.release, after_in_child=_saving.release)


def _one_at_a_time(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def locked(*args: Any, **kwargs: Any) -> None:
        with _saving:
            method(*args, **kwargs)

    return locked


# At its end coverage closes the database of every thread. One that is just saving would crash the process.
Coverage._atexit = _one_at_a_time(Coverage._atexit)  # type: ignore[method-assign]
Coverage.save = _one_at_a_time(Coverage.save)  # type: ignore[method-assign]


def coverage_init(reg: Any, options: dict[str, str]) -> None:
    """Start to save; coverage calls this in each process, and in the child of each fork."""
    stop, process = threading.Event(), os.getpid()
    saver = threading.Thread(target=_save_until, args=[stop], name="coverage", daemon=True)

    def end() -> None:
        """A thread that saves while the interpreter shuts down would crash the process, or stop it for ever."""
        if process == os.getpid():  # a forked child inherits the function, but not the thread
            stop.set()
            saver.join()

    # Earlier than atexit's functions, of which coverage's own closes the data.
    threading._register_atexit(end)  # type: ignore[attr-defined]
    saver.start()


def _save_until(stop: threading.Event) -> None:
    while not stop.wait(INTERVAL_S):
        if coverage := Coverage.current():
            coverage.save()
