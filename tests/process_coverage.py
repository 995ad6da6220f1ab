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
    # No daemon: Python waits for the thread before coverage and the interpreter end.
    threading.Thread(target=_save_until_the_end, name="coverage").start()


def _save_until_the_end() -> None:
    main = threading.main_thread()
    while main.is_alive():
        main.join(INTERVAL_S)
        if coverage := Coverage.current():
            coverage.save()
