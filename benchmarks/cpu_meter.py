"""CPU seconds and memory of process trees."""

import time
from collections.abc import Mapping
from contextlib import suppress

import psutil

MEMORY_POLL_S = 0.5


class CpuMeter:
    """CPU seconds and memory of process trees, by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        #: The memory in MB of the largest process of each tree.
        self.peak_memory: dict[str, float] = dict.fromkeys(pids, 0.0)
        self._polled_at = 0.0
        self._before = self._spent()

    def poll_memory(self) -> None:
        """Note the memory, unless that was done a moment ago."""
        if time.monotonic() - self._polled_at > MEMORY_POLL_S:
            self._polled_at = time.monotonic()
            self.note_memory()

    def note_memory(self) -> None:
        """Raise the peaks to the memory of the processes as they are now."""
        for name, pid in self._pids.items():
            for process in tree(pid):
                with suppress(psutil.NoSuchProcess):
                    self.peak_memory[name] = max(self.peak_memory[name], process.memory_info().rss / 1e6)

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds of each tree since the meter was made."""
        return {name: spent - self._before.get(name, 0.0) for name, spent in self._spent().items()}

    def _spent(self) -> dict[str, float]:
        return {name: sum(map(cpu_seconds_of, tree(pid))) for name, pid in self._pids.items()}


def tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds_of(process: psutil.Process) -> float:
    """The CPU seconds of a process and of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
