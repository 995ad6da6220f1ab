"""The harness that measures systems in turn: a database server, a broker, and a template database for each system."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, TypeVar

from benchmarks.broker import Broker, broker
from benchmarks.mail_sink import mail_sink
from benchmarks.measurement import WARM_UP_ORDERS, Measurement, Run, programs_for, start_programs
from benchmarks.orders import HISTORY_SEED, generate_orders
from benchmarks.processes import MeasuredProcesses
from benchmarks.servers import Refused, Server, database_server, exit_on_sigterm
from benchmarks.systems import SECRET_KEY, SYSTEMS, System
from benchmarks.verification import FACTS_WHEN_PLACED, actual_rows, expected_rows, verify
from benchmarks.workloads import Workload
from project.console.harness.process import free_port
from project.console.harness.programs import pool_size

Item = TypeVar("Item")

ROOT = Path(__file__).parent.parent

#: With fewer settled orders, or with orders that the planner does not know of, PostgreSQL keeps plans for empty tables.
MIN_HISTORY_ORDERS = 20_000
#: Variables of the environment that a measured system must not inherit.
CLEARED_VARIABLES = (
    "DATABASE_URL",
    "BROKER_URL",
    "CACHE_URL",
    "DEBUG",
    "EMAIL_URL",
    "LOG_LEVEL",
    "DJANGO_SETTINGS_MODULE",
)


class Harness:
    """Shared by all measurements of a benchmark."""

    def __init__(
        self, directory: Path, *, server: Server, broker: Broker, history: int, min_history: int = MIN_HISTORY_ORDERS
    ) -> None:
        self.server, self.broker = server, broker
        self._directory, self._history, self._min_history = directory, history, min_history
        self._port = free_port()
        #: What our own system says of itself: the commands that run it, and which safeguards are on.
        self.ours: dict[str, Any] = {"programs": {}, "safety": {}}

    def prepare(self, systems: Iterable[System]) -> None:
        """Make the template database of each system.

        Raises:
            Refused: there is too little history, or a safeguard of our own system is off.
        """
        for name in dict.fromkeys(system.template_of for system in systems):
            system = SYSTEMS[name]
            self.server.create(template(system))
            with self._processes(system, template(system)) as processes:
                command = agent(system, "set_up", "--history", str(self._history))
                said = processes.ask("set_up", *command)
            self.server.analyze(template(system))
            self._refuse_little_history(system, template(system))
            if name == "ours":
                self.ours = said
                if off := [safeguard for safeguard, on in said["safety"].items() if not on]:
                    raise Refused(f"Not measured: ours lacks a safeguard ({'; '.join(off)}). Turn it on again.")

    def measure(
        self,
        system: System,
        workload: Workload,
        *,
        orders: int,
        round_: int,
        database: str = "",
        programs: Mapping[str, Sequence[str]] | None = None,
    ) -> Measurement:
        """Measure a system once.

        Args:
            database: use this one as it is instead of a fresh copy, and do not verify the rows that the orders leave.
            programs: commands to run instead of the usual ones.

        Raises:
            WrongRows: it did not leave the rows that the other systems leave.
            NotReady: a process did not start, or has ended, or there is no progress.
        """
        given, database = database, database or self.fresh(system)
        self.broker.empty()
        placers = system.bulk_placers if workload.how == "bulk" else workload.placers
        each, warm = orders // placers, WARM_UP_ORDERS // placers
        seeds = [1_000 * round_ + number for number in range(placers)]
        with ExitStack() as stack:
            sink = stack.enter_context(mail_sink()) if workload.mail else None
            mail = {"EMAIL_URL": f"smtp://127.0.0.1:{sink.port}", "MAX_MAILS_PER_DAY": "1000000"} if sink else {}
            names = programs_for(system, workload)
            processes = stack.enter_context(self.running(system, database, names, programs=programs, **mail))
            run = Run(
                server=self.server,
                broker=self.broker,
                system=system,
                workload=workload,
                database=database,
                processes=processes,
                sink=sink,
            )
            token = self._token(system, processes) if workload.how == "http" else ""
            numbers = "--orders", str(each), "--warm-up", str(warm)
            commands = [self._placer(system, workload, token, *numbers, "--seed", str(seed)) for seed in seeds]
            measurement = run.measure(commands, orders=each * placers, warm_up=warm * placers)
        if given:
            return measurement
        placed = generate_orders(count=self._history, seed=HISTORY_SEED)
        for seed in seeds:
            placed += generate_orders(count=warm + each, seed=seed, mix=workload.mix)
        facts = actual_rows(system, self.server, database)
        if workload.web_alone:
            facts = {name: facts[name] for name in FACTS_WHEN_PLACED}
        verify(f"{system.name} in {workload.name}", facts, expected_rows(placed))
        return measurement

    def fresh(self, system: System) -> str:
        """Make a fresh copy of the template database of a system; its name."""
        database = f"bench_{system.name}"
        self.server.copy(template(SYSTEMS[system.template_of]), database)
        self._refuse_little_history(system, database)
        return database

    @contextmanager
    def running(
        self,
        system: System,
        database: str,
        names: Sequence[str],
        *,
        programs: Mapping[str, Sequence[str]] | None = None,
        **environment: str,
    ) -> Iterator[MeasuredProcesses]:
        """Programs of a system on a database, ready for work, until the end of the block."""
        with self._processes(system, database, **environment) as processes:
            start_programs(processes, programs or self._programs(system), names, port=self._port)
            yield processes

    def _programs(self, system: System) -> Mapping[str, Sequence[str]]:
        programs = {**self.ours["programs"], **system.programs} if system.template_of == "ours" else system.programs
        count = str(pool_size(self.server.vendor))
        return {name: [word.replace("{pool_size}", count) for word in command] for name, command in programs.items()}

    def _placer(self, system: System, workload: Workload, token: str, *options: str) -> list[str]:
        shared = [*options, "--mix", workload.mix]
        if workload.how == "http":
            return [sys.executable, "-m", "benchmarks.http_load", str(self._port), token, *shared]
        return agent(system, "place", "--how", workload.how, *shared)

    def _token(self, system: System, processes: MeasuredProcesses) -> str:
        token: str = processes.ask("token", *agent(system, "token"))
        processes.processes["token"].wait()
        return token

    def _refuse_little_history(self, system: System, database: str) -> None:
        table = SYSTEMS[system.template_of].tables["order"]
        # The planner's figure is an estimate, exact to a few percent.
        if min(self._history, self.server.analyzed_rows(database, table) * 1.05) < self._min_history:
            raise Refused(
                f"Not measured: {system.name} has fewer than {self._min_history:,} settled orders that were "
                f"ANALYZEd, and would run on plans for empty tables. Ask for --history {self._min_history} or more."
            )

    @contextmanager
    def _processes(self, system: System, database: str, **environment: str) -> Iterator[MeasuredProcesses]:
        """An empty table of processes with the environment of a system; it kills them at the end of the block."""
        directory = Path(mkdtemp(prefix=f"{database}-", dir=self._directory))
        processes = MeasuredProcesses(
            directory,
            cwd=ROOT,
            environment={
                **{name: value for name, value in os.environ.items() if name not in CLEARED_VARIABLES},
                "DATABASE_URL": self.server.url(database),
                "BROKER_URL": self.broker.url,
                "DATA_DIR": str(directory),
                "TMPDIR": str(directory),  # a killed worker leaves its temporary directory behind
                "SECRET_KEY": SECRET_KEY,
                "WELCOME_SKU": "",
                # One customer places all orders.
                "MAX_OPEN_ORDERS": "1000000",
                "MAX_HELD_UNITS": "100000000",
                "UNSAFE_CALLS_PER_MINUTE": "1000000",
                "PORT": str(self._port),
                **system.environment,
                **environment,
            },
        )
        try:
            yield processes
        finally:
            processes.kill_all()
            shutil.rmtree(directory, ignore_errors=True)


def in_turn(items: Iterable[Item], round_: int) -> list[Item]:
    """The items of a round; every second round reverses them, so that none always follows the same one."""
    return list(items) if round_ % 2 else list(items)[::-1]


@contextmanager
def harness_for_ours(*, history: int = MIN_HISTORY_ORDERS) -> Iterator[Harness]:
    """A prepared harness for our own system alone, on PostgreSQL; servers as in `python -m benchmarks`."""
    exit_on_sigterm()
    with (
        TemporaryDirectory(prefix="orderly-bench-") as name,
        database_server(Path(name), vendor="postgresql") as server,
        broker(Path(name)) as redis,
    ):
        harness = Harness(Path(name), server=server, broker=redis, history=history)
        harness.prepare([SYSTEMS["ours"]])
        yield harness


def template(system: System) -> str:
    """The name of the template database of a system."""
    return f"bench_{system.name}_template"


def agent(system: System, action: str, *options: str) -> list[str]:
    """The command of benchmarks/agent.py, which runs inside a system with its settings."""
    return [sys.executable, "-m", "benchmarks.agent", system.shop, action, *options]
