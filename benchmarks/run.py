"""One measurement: processes, orders, a clock."""

import math
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from benchmarks.processes import Meter, NotReady, Processes, ask, tell
from benchmarks.servers import Broker, Server
from benchmarks.sink import Sink
from benchmarks.systems import System
from benchmarks.workloads import Workload

#: Orders that each system handles before the clock starts.
WARM_UP = 320
#: Seconds between two looks whether all is done.
LOOK = 0.02
#: Seconds without progress after which orders are held for lost.
STALLED = 60.0


@dataclass(kw_only=True)
class Measurement:
    """What was measured once."""

    orders: int
    seconds: float
    #: CPU seconds, and the memory of the largest process in MB, by what the processes are.
    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    #: How often SQLite said that the database is locked, to placers and in the logs of the others.
    lock_errors: int
    #: Milliseconds from placing to confirmed, of orders that were placed at a rate.
    latencies: Sequence[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    @property
    def cpu_per_thousand(self) -> float:
        """CPU seconds for 1,000 orders, without those of a client that only sends requests."""
        return 1000 * sum(spent for name, spent in self.cpu.items() if name != "client") / self.orders

    def latency(self, percent: float) -> float:
        """The latency that so many percent of the orders do not exceed; 0 where none was measured."""
        ordered = sorted(self.latencies)
        return ordered[math.ceil(percent / 100 * len(ordered)) - 1] if ordered else 0.0


def carriers(system: System, workload: Workload) -> list[str]:
    """The programs that carry orders from placed to confirmed, and the web server if orders come that way."""
    return [
        *(() if workload.web_alone else system.carriers),
        *(["external"] if workload.mail else []),
        *(["web"] if workload.how == "http" else []),
    ]


def start(processes: Processes, programs: Mapping[str, Sequence[str]], names: Sequence[str], *, port: int) -> None:
    """Start programs and wait until each is ready; a relay is when the orders of the warm-up are confirmed."""
    for name in names:
        processes.start(name, [word.replace("{port}", str(port)) for word in programs[name]])
    for name in names:
        if name == "web":
            processes.wait_for(lambda: _listens(port), name=name)
        elif not name.startswith("relay"):
            processes.wait_for(lambda name=name: " ready." in processes.printed(name), name=name)  # type: ignore[misc]


class Run:
    """A system in a workload, on a database of its own."""

    def __init__(
        self,
        *,
        server: Server,
        broker: Broker,
        system: System,
        workload: Workload,
        database: str,
        processes: Processes,
        sink: Sink | None,
    ) -> None:
        self._server, self._broker, self._system, self._workload = server, broker, system, workload
        self._database, self._processes, self._sink = database, processes, sink
        self._carried = bool(system.carriers) and not workload.web_alone

    def measure(self, placers: Sequence[Sequence[str]], *, orders: int, warm_up: int) -> Measurement:
        """Have the orders placed, and stop the clock when all is done.

        Args:
            placers: the commands of those who place.

        Raises:
            NotReady: a process has ended, or there is no progress.
        """
        programs = self._processes.pids()
        started = [
            self._processes.start(f"placer{number}", command, talks=True) for number, command in enumerate(placers)
        ]
        for number, placer in enumerate(started):
            ask(placer, printed=lambda number=number: self._processes.printed(f"placer{number}"))  # type: ignore[misc]
        with closing(self._server.connect(self._database)) as connection:
            self._wait_until_done(connection, mails=warm_up)
            self._server.settle()
            if self._workload.backlog:
                self._processes.suspend(programs.values())
                for placer in started:
                    tell(placer)
                answers = [ask(placer) for placer in started]
                self._server.settle()
            meter = Meter({**programs, **self._servers()})
            start = time.time()
            if self._workload.backlog:
                self._processes.resume(programs.values())
            else:
                for placer in started:
                    tell(placer)
                answers = _answers(started, meter)
            self._wait_until_done(connection, mails=warm_up + orders, meter=meter)
            seconds = time.time() - start
            cpu = meter.cpu()
            latencies = self._latencies(connection, [begun for answer in answers for begun in answer["begun"]])
        if not self._workload.backlog:
            by = "client" if self._workload.how == "http" else "placer"
            cpu[by] = sum(answer["cpu"] for answer in answers)
        meter.look()
        return Measurement(
            orders=orders,
            # Where nobody carries on, those who place know best when they were done.
            seconds=seconds if self._carried else max(answer["seconds"] for answer in answers),
            cpu=cpu,
            memory=meter.peaks,
            lock_errors=sum(answer["lock_errors"] for answer in answers)
            + self._processes.count_printed("database is locked"),
            latencies=latencies,
        )

    def _servers(self) -> dict[str, int]:
        found = {"postgres": self._server.pid, "redis": self._broker.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    def _wait_until_done(self, connection: Any, *, mails: int, meter: Meter | None = None) -> None:
        """Wait until no order is placed and not yet settled, and until so many mails were sent if any are."""
        if not self._carried:
            return
        order = self._system.tables["order"]
        unsettled = f"SELECT 1 FROM {order} WHERE status = 'placed' LIMIT 1"  # noqa: S608
        count = f"SELECT count(*) FROM {order} WHERE status = 'placed'"  # noqa: S608
        before, deadline = -1, time.monotonic() + STALLED
        while connection.execute(unsettled).fetchone() or (self._sink and self._sink.taken < mails):
            if meter:
                meter.look_sometimes()
            if (now := time.monotonic()) > deadline:
                left = int(connection.execute(count).fetchone()[0]) - (self._sink.taken if self._sink else 0)
                if left == before:
                    raise NotReady(
                        f"{self._system.name} makes no progress: {left} orders wait.\n{self._processes.tails()}"
                    )
                before, deadline = left, now + STALLED
            time.sleep(LOOK)

    def _latencies(self, connection: Any, begun: Sequence[tuple[str, float]]) -> list[float]:
        """From when each order was to be placed to the time that its confirmation bears."""
        if not begun:
            return []
        seconds, table = self._server.seconds("at"), self._system.tables["change"]
        query = f"SELECT order_id, {seconds} FROM {table} WHERE to_status = 'confirmed'"  # noqa: S608
        # SQLite's ids are without hyphens.
        confirmed = {UUID(str(order)): float(at) for order, at in connection.execute(query)}
        return [1000 * (confirmed[UUID(order)] - at) for order, at in begun]


def _answers(placers: Sequence[Any], meter: Meter) -> list[Any]:
    """What came of it, as soon as each says so. Meanwhile, memory is looked at."""
    answers, waiting = [], {placer.stdout: placer for placer in placers}
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], LOOK)
        answers += [ask(waiting.pop(pipe)) for pipe in ready]
        meter.look_sometimes()
    return answers


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
