"""One measurement: processes, orders, a clock."""

import math
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from benchmarks.broker import Broker
from benchmarks.cpu_meter import CpuMeter
from benchmarks.mail_sink import MailSink
from benchmarks.processes import MeasuredProcesses
from benchmarks.servers import Server
from benchmarks.systems import System
from benchmarks.workloads import Workload
from project.console.harness.process import NotReady, listens

#: Orders that each system handles before the clock starts.
WARM_UP_ORDERS = 320
#: Between two checks whether everything is done.
POLL_S = 0.02
#: Without progress for this long, orders count as lost.
STALLED_AFTER_S = 60.0


@dataclass(kw_only=True)
class Measurement:
    """The figures of one run."""

    orders: int
    seconds: float
    #: CPU seconds, and the memory of the largest process in MB, by the name of the program.
    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    #: How often SQLite said that the database is locked, to placers and in the logs of the others.
    lock_errors: int
    #: Milliseconds from placed to confirmed, of orders that were placed at a rate.
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
        """The latency that this percentage of the orders does not exceed; 0 if none was measured."""
        ordered = sorted(self.latencies)
        return ordered[math.ceil(percent / 100 * len(ordered)) - 1] if ordered else 0.0


def programs_for(system: System, workload: Workload) -> list[str]:
    """The programs that take orders from placed to confirmed, and the web server if orders come over HTTP."""
    return [
        *(() if workload.web_alone else system.order_programs),
        *(["external"] if workload.mail else []),
        *(["web"] if workload.how == "http" else []),
    ]


def start_programs(
    processes: MeasuredProcesses, programs: Mapping[str, Sequence[str]], names: Sequence[str], *, port: int
) -> None:
    """Start programs and wait until each is ready; a relay is, once the orders of the warm-up are confirmed."""
    for name in names:
        processes.start(name, *(word.replace("{port}", str(port)) for word in programs[name]))
    for name in names:
        if name == "web":
            processes.wait_until_ready(name, lambda: listens(port))
        elif not name.startswith("relay"):
            processes.wait_for_worker(name)


class Run:
    """A run of a system on a workload, on a database of its own."""

    def __init__(
        self,
        *,
        server: Server,
        broker: Broker,
        system: System,
        workload: Workload,
        database: str,
        processes: MeasuredProcesses,
        sink: MailSink | None,
    ) -> None:
        self._server, self._broker, self._system, self._workload = server, broker, system, workload
        self._database, self._processes, self._sink = database, processes, sink
        self._is_settled = bool(system.order_programs) and not workload.web_alone

    def measure(self, placers: Sequence[Sequence[str]], *, orders: int, warm_up: int) -> Measurement:
        """Have the orders placed, and stop the clock when everything is done.

        Args:
            placers: the commands of the processes that place orders.

        Raises:
            NotReady: a process has ended, or there is no progress.
        """
        pids = self._processes.pids()
        names = [f"placer{number}" for number in range(len(placers))]
        for name, command in zip(names, placers, strict=True):
            self._processes.start_with_pipes(name, *command)
        for name in names:
            self._processes.receive(name)
        with closing(self._server.connect(self._database)) as connection:
            self._wait_until_done(connection, mails=warm_up)
            self._server.checkpoint()
            if self._workload.backlog:
                self._processes.suspend(pids.values())
                self._tell(names)
                answers = [self._processes.receive(name) for name in names]
                self._server.checkpoint()
            meter = CpuMeter({**pids, **self._server_pids()})
            start = time.time()
            if self._workload.backlog:
                self._processes.resume(pids.values())
            else:
                self._tell(names)
                answers = self._answers(names, meter)
            self._wait_until_done(connection, mails=warm_up + orders, meter=meter)
            seconds = time.time() - start
            cpu = meter.cpu_seconds()
            latencies = self._latencies(connection, [begun for answer in answers for begun in answer["begun"]])
        if not self._workload.backlog:
            by = "client" if self._workload.how == "http" else "placer"
            cpu[by] = sum(answer["cpu"] for answer in answers)
        meter.note_memory()
        return Measurement(
            orders=orders,
            # If no program settles the orders, the placers know best when they were done.
            seconds=seconds if self._is_settled else max(answer["seconds"] for answer in answers),
            cpu=cpu,
            memory=meter.peak_memory,
            lock_errors=sum(answer["lock_errors"] for answer in answers)
            + self._processes.count_printed("database is locked"),
            latencies=latencies,
        )

    def _server_pids(self) -> dict[str, int]:
        found = {"postgres": self._server.pid, "redis": self._broker.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    def _tell(self, names: Sequence[str]) -> None:
        for name in names:
            self._processes.tell(name)

    def _answers(self, names: Sequence[str], meter: CpuMeter) -> list[Any]:
        """What each placer reports, as soon as it does; memory is polled meanwhile."""
        answers, waiting = [], {self._processes.output(name): name for name in names}
        while waiting:
            ready, _, _ = select.select(list(waiting), [], [], POLL_S)
            answers += [self._processes.receive(waiting.pop(pipe)) for pipe in ready]
            meter.poll_memory()
        return answers

    def _wait_until_done(self, connection: Any, *, mails: int, meter: CpuMeter | None = None) -> None:
        """Wait until no order is left in status "placed", and until this many mails were sent if any are."""
        if not self._is_settled:
            return
        order = self._system.tables["order"]
        unsettled = f"SELECT 1 FROM {order} WHERE status = 'placed' LIMIT 1"  # noqa: S608
        count = f"SELECT count(*) FROM {order} WHERE status = 'placed'"  # noqa: S608
        before, deadline = -1, time.monotonic() + STALLED_AFTER_S
        while connection.execute(unsettled).fetchone() or (self._sink and self._sink.accepted < mails):
            if meter:
                meter.poll_memory()
            if (now := time.monotonic()) > deadline:
                left = int(connection.execute(count).fetchone()[0]) - (self._sink.accepted if self._sink else 0)
                if left == before:
                    raise NotReady(
                        f"{self._system.name} makes no progress: {left} orders wait.\n{self._processes.tails()}"
                    )
                before, deadline = left, now + STALLED_AFTER_S
            time.sleep(POLL_S)

    def _latencies(self, connection: Any, begun: Sequence[tuple[str, float]]) -> list[float]:
        """Milliseconds from when each order was due to be placed to the time of its confirmation."""
        if not begun:
            return []
        seconds, table = self._server.epoch_seconds("at"), self._system.tables["change"]
        query = f"SELECT order_id, {seconds} FROM {table} WHERE to_status = 'confirmed'"  # noqa: S608
        # SQLite's ids have no hyphens.
        confirmed = {UUID(str(order)): float(at) for order, at in connection.execute(query)}
        return [1000 * (confirmed[UUID(order)] - at) for order, at in begun]
