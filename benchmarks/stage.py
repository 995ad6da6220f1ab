"""Where systems are measured in turn: a database server, a broker, and a template of each system's database."""

import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, TypeVar

from benchmarks.agreement import PLACED_ONLY, check, expected, found
from benchmarks.processes import Processes, ask
from benchmarks.run import WARM_UP, Measurement, Run, carriers, start
from benchmarks.servers import Broker, Refused, Server, broker, database_server, end_in_order
from benchmarks.sink import mail_sink
from benchmarks.specs import HISTORY_SEED, specs
from benchmarks.systems import SECRET, SYSTEMS, System
from benchmarks.workloads import Workload
from project.console.programs import pool_size

Item = TypeVar("Item")

#: With fewer settled orders, or unknown to the planner, PostgreSQL makes and keeps plans that suit empty tables.
LEAST_HISTORY = 20_000
#: What a system of ours may find in its surroundings and must not.
OURS_ALONE = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "DEBUG", "EMAIL_URL", "LOG_LEVEL", "DJANGO_SETTINGS_MODULE")


class Stage:
    """One for a whole run of the benchmark."""

    def __init__(
        self, directory: Path, *, server: Server, broker: Broker, history: int, least_history: int = LEAST_HISTORY
    ) -> None:
        self.server, self.broker = server, broker
        self._directory, self._history, self._least_history = directory, history, least_history
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        #: What ours said of itself: the commands by which it is run, and which safeguards are on.
        self.ours: dict[str, Any] = {"programs": {}, "safety": {}}

    def prepare(self, systems: Iterable[System]) -> None:
        """Make the database that each of the systems begins with a copy of.

        Raises:
            Refused: there is too little history, or a safeguard of ours is off.
        """
        for name in dict.fromkeys(system.history for system in systems):
            system = SYSTEMS[name]
            self.server.create(template(system))
            with self._processes(system, template(system)) as processes:
                command = agent(system, "set_up", "--history", str(self._history))
                said = ask(processes.start("set_up", command, talks=True), printed=lambda: processes.printed("set_up"))
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
            database: one to take as it is, instead of a fresh copy; what the orders leave is then not compared.
            programs: instead of the usual ones.

        Raises:
            Disagreement: it did not leave the rows that the others leave.
            NotReady: a process did not start, or has ended, or all make no progress.
        """
        given, database = database, database or self.fresh(system)
        self.broker.empty()
        placers = system.bulk_placers if workload.how == "bulk" else workload.placers
        each, warm = orders // placers, WARM_UP // placers
        seeds = [1_000 * round_ + number for number in range(placers)]
        with ExitStack() as stack:
            sink = stack.enter_context(mail_sink()) if workload.mail else None
            mail = {"EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"} if sink else {}
            names = carriers(system, workload)
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
        placed = specs(count=self._history, seed=HISTORY_SEED)
        for seed in seeds:
            placed += specs(count=warm + each, seed=seed, mix=workload.mix)
        facts = found(system, self.server, database)
        if workload.web_alone:
            facts = {name: facts[name] for name in PLACED_ONLY}
        check(f"{system.name} in {workload.name}", facts, expected(placed))
        return measurement

    def fresh(self, system: System) -> str:
        """A fresh copy of the database that a system begins with."""
        database = f"bench_{system.name}"
        self.server.copy(template(SYSTEMS[system.history]), database)
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
    ) -> Iterator[Processes]:
        """Programs of a system on a database, ready, and gone at the end."""
        with self._processes(system, database, **environment) as processes:
            start(processes, programs or self._programs(system), names, port=self._port)
            yield processes

    def _programs(self, system: System) -> Mapping[str, Sequence[str]]:
        programs = {**self.ours["programs"], **system.programs} if system.history == "ours" else system.programs
        count = str(pool_size(self.server.vendor))
        return {name: [word.replace("{pool_size}", count) for word in command] for name, command in programs.items()}

    def _placer(self, system: System, workload: Workload, token: str, *options: str) -> list[str]:
        shared = [*options, "--mix", workload.mix]
        if workload.how == "http":
            return [sys.executable, "-m", "benchmarks.http_load", str(self._port), token, *shared]
        return agent(system, "place", "--how", workload.how, *shared)

    def _token(self, system: System, processes: Processes) -> str:
        minting = processes.start("token", agent(system, "token"), talks=True)
        said: str = ask(minting, printed=lambda: processes.printed("token"))
        minting.wait()
        return said

    def _refuse_little_history(self, system: System, database: str) -> None:
        table = SYSTEMS[system.history].tables["order"]
        # The planner's figure is an estimate, good to some percent.
        if min(self._history, self.server.analyzed(database, table) * 1.05) < self._least_history:
            raise Refused(
                f"Not measured: {system.name} has fewer than {self._least_history:,} settled orders that were "
                f"ANALYZEd, and would run on plans for empty tables. Ask for --history {self._least_history} or more."
            )

    @contextmanager
    def _processes(self, system: System, database: str, **environment: str) -> Iterator[Processes]:
        """Processes of a system on a database, that are gone at the end."""
        directory = Path(mkdtemp(prefix=f"{database}-", dir=self._directory))
        processes = Processes(
            directory,
            {
                **{name: value for name, value in os.environ.items() if name not in OURS_ALONE},
                "DATABASE_URL": self.server.url(database),
                "BROKER_URL": self.broker.url,
                "DATA_DIR": str(directory),
                "TMPDIR": str(directory),  # a worker that had to be killed leaves its temporary directory behind
                "SECRET_KEY": SECRET,
                "WELCOME_SKU": "",
                "PORT": str(self._port),
                **system.environment,
                **environment,
            },
        )
        try:
            yield processes
        finally:
            processes.stop()
            shutil.rmtree(directory, ignore_errors=True)


def turn(items: Iterable[Item], round_: int) -> list[Item]:
    """What is measured in a round, every other time backwards, so that nobody always comes after the same one."""
    return list(items) if round_ % 2 else list(items)[::-1]


@contextmanager
def stage_for_ours(*, history: int = LEAST_HISTORY) -> Iterator[Stage]:
    """A stage for ours alone, prepared, on a PostgreSQL and a broker that are started for it or pointed at."""
    end_in_order()
    with (
        TemporaryDirectory(prefix="orderly-bench-") as name,
        database_server(Path(name), vendor="postgresql") as server,
        broker(Path(name)) as redis,
    ):
        stage = Stage(Path(name), server=server, broker=redis, history=history)
        stage.prepare([SYSTEMS["ours"]])
        yield stage


def template(system: System) -> str:
    """The database that a system begins with a copy of."""
    return f"bench_{system.name}_template"


def agent(system: System, action: str, *options: str) -> list[str]:
    """The command for something that happens inside a system's own processes."""
    return [sys.executable, "-m", "benchmarks.agent", system.shop, action, *options]
