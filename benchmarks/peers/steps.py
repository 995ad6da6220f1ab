"""Where the time of one order goes: each step of ours by itself, in one process, with nobody beside it."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from benchmarks.specs import Spec, chunks, specs
from project.bus import consumer, sessions
from project.bus.registry import handlers

#: Orders in a batch of those who work at them.
BATCH = 500
TABLE = r"((?:bus|orders|inventory)_\w+)"
WRITES = re.compile(rf"(?:INSERT INTO|UPDATE|DELETE FROM) {TABLE}")
READS = re.compile(rf"FROM {TABLE}")


class Times:
    """Seconds by what they went into."""

    def __init__(self) -> None:
        self.spent: Counter[tuple[str, str]] = Counter()
        self._step = ""
        self._statements = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step: its statements each, this process's own work, and the rest, which is waiting for COMMIT."""
        self._step, self._statements = name, 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(self._watch):
            yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.spent[name, "Python"] += cpu
        self.spent[name, "COMMIT, with its checks of foreign keys"] += max(wall - cpu - self._statements, 0.0)

    def _watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return execute(sql, params, many, context)
        finally:
            # Without what this process does for it meanwhile, which counts as Python.
            spent = max(time.perf_counter() - wall - (time.process_time() - cpu), 0.0)
            self._statements += spent
            self.spent[self._step, label(sql)] += spent


def label(sql: str) -> str:
    """What a statement does: the tables that it writes, or else the first that it reads."""
    if written := list(dict.fromkeys(WRITES.findall(sql))):
        return "writes " + ", ".join(written)
    read = READS.findall(sql)
    return f"reads {read[0]}" if read else sql.split(maxsplit=1)[0]


def steps(*, orders: int, place_many: Callable[[Sequence[Spec]], None]) -> list[tuple[str, str, float]]:
    """Place orders, reserve for them and confirm them, batch by batch; half as many before, until all is prepared.

    Returns:
        Of each step what it did, and the microseconds that this took for one order.
    """
    sessions.prepare_sessions()
    connection.close()
    for count, seed in ((orders // 2, 1), (orders, 2)):
        times = Times()
        for chunk in chunks(specs(count=count, seed=seed), size=BATCH):
            with times.step("place"):
                for few in chunks(chunk):
                    place_many(few)
            with times.step("reserve"):
                consumer.answer_bell(handlers["inventory.reserve_stock"])
            with times.step("confirm"):
                consumer.answer_bell(handlers["orders.confirm_orders"])
    return [(step, what, 1e6 * spent / orders) for (step, what), spent in times.spent.items()]
