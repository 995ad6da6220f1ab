"""A plugin of coverage: each process saves its data often, because tests end most of them with SIGKILL.

Coverage itself saves when a process exits, and a killed process does not exit. `make coverage` uses this module
(pyproject.toml names it); nothing else does.
"""

import atexit
import os
import threading
from typing import Any

from coverage import Coverage

#: Seconds between two saves; wait_for_coverage() in tests/services.py waits for two.
INTERVAL_S = 0.5

# A process that forked during a save would leave its child with SQLite's locks taken.
_saving = threading.Lock()
os.register_at_fork(before=_saving.acquire, after_in_parent=_saving.release, after_in_child=_saving.release)


def coverage_init(reg: Any, options: dict[str, str]) -> None:
    """Start to save; coverage calls this in each process, and in the child of each fork."""
    stop = threading.Event()
    saver = threading.Thread(target=_save_until, args=[stop], name="coverage", daemon=True)

    def end() -> None:
        """A thread that saves while the interpreter shuts down would crash the process."""
        stop.set()
        saver.join()

    atexit.register(end)
    saver.start()


def _save_until(stop: threading.Event) -> None:
    while not stop.wait(INTERVAL_S):
        if coverage := Coverage.current():
            with _saving:
                coverage.save()
