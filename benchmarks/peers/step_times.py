"""Measures each step of an order alone, in one process."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from benchmarks.orders import OrderSpec, generate_orders, in_batches
from project.bus.registry import handlers
from project.bus.worker import consumer, sessions

ORDERS_PER_BATCH = 500
TABLE = r"((?:bus|orders|inventory)_\w+)"
WRITES = re.compile(rf"(?:INSERT INTO|UPDATE|DELETE FROM) {TABLE}")
READS = re.compile(rf"FROM {TABLE}")


class StepTimes:
    """Seconds by step and by what they were spent on."""

    def __init__(self) -> None:
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._step = ""
        self._statements = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step: each statement, the work of this process, and the rest, which is waiting for COMMIT."""
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
            # Without the CPU time of this process, which counts as Python.
            spent = max(time.perf_counter() - wall - (time.process_time() - cpu), 0.0)
            self._statements += spent
            self.spent[self._step, label(sql)] += spent


def label(sql: str) -> str:
    """A label for a statement: the tables that it writes, otherwise the first table that it reads."""
    if written := list(dict.fromkeys(WRITES.findall(sql))):
        return "writes " + ", ".join(written)
    read = READS.findall(sql)
    return f"reads {read[0]}" if read else sql.split(maxsplit=1)[0]


def time_steps(*, orders: int, place_many: Callable[[Sequence[OrderSpec]], None]) -> list[tuple[str, str, float]]:
    """Place, reserve and confirm orders in batches, after half as many that are not measured.

    Returns:
        Step, what it did, and microseconds for one order.
    """
    sessions.limit_sessions()
    connection.close()
    for count, seed in ((orders // 2, 1), (orders, 2)):
        times = StepTimes()
        for chunk in in_batches(generate_orders(count=count, seed=seed), size=ORDERS_PER_BATCH):
            with times.step("place"):
                for few in in_batches(chunk):
                    place_many(few)
            with times.step("reserve"):
                consumer.answer_bell(handlers["inventory.reserve_stock"])
            with times.step("confirm"):
                consumer.answer_bell(handlers["orders.confirm_orders"])
    return [(step, what, 1e6 * spent / orders) for (step, what), spent in times.spent.items()]
