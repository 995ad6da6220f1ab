"""The whole system in processes of its own, every connection of it through a proxy, and every process at one's mercy.

Web, two relays, two workers per queue, on a PostgreSQL, a broker and a mail server that are its own.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg

from tests.console.leftovers import lives
from tests.faults import armed, own
from tests.faults.brokers import QUEUES, Broker, Rabbit, Redis
from tests.faults.mail import MailServer
from tests.faults.postgres import DATABASE, Postgres
from tests.faults.proxy import Proxy
from tests.system import System, eventually

#: The first two units of every product are there for every order; of SCARCE there are few, so some are rejected.
PRODUCTS = tuple(f"P{number}" for number in range(8))
SCARCE = "SCARCE"
#: Everybody wants this one at the same moment, and there is not enough of it.
HOT, HOT_UNITS = "HOT", 30

#: Seconds for which a statement of the runner's own is tried again while the database is away.
DATABASE_AWAY = 30.0

#: Owed by handlers of ours within the database, and due: what a healed system drains. Mail has a figure of its own.
UNSETTLED = """
    SELECT count(*) FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id
    WHERE d.dead_at IS NULL AND (d.attempts > 0 OR d.due_at <= now()) AND split_part(d.handler, '.', 1) <> 'faults'
        AND (d.handler LIKE %s) AND e.time <= %s
"""


class Cluster(System):
    """The system, and what can be done to it."""

    def __init__(self, directory: Path, *, broker: str, fsync: bool, hurry: bool) -> None:
        self.hurry = hurry
        self.postgres = Postgres(directory, fsync=fsync)
        self.database_proxy = Proxy(to=lambda: self.postgres.socket)
        database = f"postgres://postgres@127.0.0.1:{self.database_proxy.port}/{DATABASE}"
        super().__init__(directory, database=database)
        self.broker: Broker = {"redis": Redis, "rabbitmq": Rabbit}[broker](directory)
        self.broker_proxy = Proxy(to=lambda: self.broker.address)
        self.cache = Redis(directory, name="cache")
        self.cache_proxy = Proxy(to=lambda: self.cache.address)
        self.mail = MailServer()
        self.points = directory / "points"
        self.points.mkdir()
        self.environment |= {
            "BROKER_URL": self.broker.url(port=self.broker_proxy.port),
            "CACHE_URL": self.cache.url(port=self.cache_proxy.port),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "FAULT_DIR": str(self.points),
            "TMPDIR": str(directory),  # a worker that is killed leaves its temporary directory behind
        }
        #: The port of the web server that new requests go to, by a proxy that stays while servers come and go.
        self.web_port = 0
        self.web_proxy = Proxy(to=lambda: ("127.0.0.1", self.web_port))
        self.random = random.Random(0)
        #: Handlers of the test's own that have dead letters on purpose.
        self.dead_expected: list[str] = []
        #: What its own handlers were given, and how often each event must have had its effect: once, or never.
        self.owed: dict[UUID, int] = {}
        self._supervision = threading.Lock()

    def stop_broker(self) -> None:
        """Have the broker be gone for everyone, with all connections."""
        self.broker_proxy.refuse(True)
        self.broker.stop()

    def start_broker(self) -> None:
        """Have it back; Redis comes back empty."""
        self.broker.start()
        self.broker_proxy.refuse(False)

    @property
    def url(self) -> str:
        """Where the web server answers."""
        return f"http://127.0.0.1:{self.web_proxy.port}"

    def set_up(self) -> None:
        """Make the tables and the stock, and start everything."""
        self.succeeds("migrate", "--verbosity", "0")
        own.set_up(self)
        self.succeeds("shell", "-c", "from inventory import operations as o; o.add_location(code='MAIN', name='Main')")
        stock = self.directory / "stock.csv"
        rows = [f"{sku},MAIN,1000000,first,{sku},2.50" for sku in PRODUCTS] + [
            f"{SCARCE},MAIN,40,first,Scarce,9.00",
            f"{HOT},MAIN,{HOT_UNITS},first,Hot,3.00",
        ]
        stock.write_text("\n".join(["sku,location,quantity,reason,name,price", *rows]) + "\n")
        self.succeeds("import_stock", str(stock))
        for name in ("web", "relay1", "relay2"):
            self.start_named(name)
        self.start_workers(*self.workers())
        eventually(
            lambda: self.sql("SELECT count(*) FROM orders_catalogueitem")[0][0] == len(rows),
            within=60,
            what="the orders service knows the products",
        )

    # Processes, each under the name of its log.

    def start_named(self, name: str, *, wait: bool = True, **environment: str) -> None:
        """Start the process of a name, with fault points: web, relay1, orders2. New requests go to a new web server."""
        if name == "web":
            self.web_port = int(self.web("tests.faults.web", "--log-level", "warning").rpartition(":")[2])
        elif name.startswith("relay"):
            self.start(name, sys.executable, "-m", "tests.faults.relay", **environment)
        else:
            points = ("-I", "tests.faults.worker,tests.faults.handlers")
            self.worker(name[:-1], *points, name=name, wait=wait, **environment)

    def start_workers(self, *names: str, **environment: str) -> None:
        """Start workers at once, and wait until all are ready."""
        for name in names:
            self.start_named(name, wait=False, **environment)
        for name in names:
            self.wait_for_worker(name)

    def restart_dead(self) -> None:
        """Start again what has ended, as whoever supervises the processes would."""
        with self._supervision:  # a fault beside others waits until it is drained too
            for name, process in list(self.processes.items()):
                # One that was ended on purpose meanwhile, in another thread, is not in its place any more.
                if process.poll() is not None and self.processes.get(name) is process:
                    del self.processes[name]
                    self.start_named(name)

    def terminate(self, *names: str) -> dict[str, subprocess.Popen[bytes]]:
        """End processes by SIGTERM, as a deployment does, and wait for them; gives those that ended."""
        ended = {name: self.processes.pop(name) for name in names}  # at once, so that nobody starts them again
        for process in ended.values():
            process.terminate()
        for process in ended.values():
            process.wait(timeout=30)
        return ended

    def main(self, name: str) -> psutil.Process:
        """The main process of a name."""
        return psutil.Process(self.processes[name].pid)

    def child(self, name: str) -> psutil.Process:
        """A worker's child, which runs the handlers."""
        found: list[psutil.Process] = eventually(
            lambda: [
                child
                for child in self.main(name).children()
                if lives(child) and _name_of(child) not in ("", "resource_tracker")
            ],
            within=30,
            what=f"{name} has a child",
        )
        return found[0]

    def workers(self, *queues: str) -> list[str]:
        """The names of the workers of queues, or of all."""
        return [f"{queue}{number}" for queue in queues or QUEUES for number in (1, 2)]

    def last(self, seconds: float) -> None:
        """Let what is broken stay so for a while; a tenth of that in a hurry."""
        time.sleep(seconds / 10 if self.hurry else seconds)

    # The fault points of workers and web.

    def arm(self, point: str, **order: Any) -> None:
        """Have the next process that gets to a point do something; tests/faults/armed.py has the orders."""
        armed.arm(self.points, point, **order)

    def fired(self, point: str) -> int:
        """Wait until some process got to an armed point; its pid."""
        pids: list[int] = eventually(
            lambda: armed.fired(self.points, point), within=20, what=f"a process got to the point {point!r}"
        )
        return pids[0]

    # Commands and the database, past the proxies.

    def succeeds(self, *arguments: str) -> str:
        """Run a management command that must succeed; what it printed."""
        done = self.manage(*arguments)
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the database, asked past the proxy and past the product.

        It is asked again while a fault keeps it away: every statement of the runner may be repeated.
        """
        deadline = time.monotonic() + DATABASE_AWAY
        while True:
            try:
                return self.postgres.sql(query, *parameters)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def now(self) -> Any:
        """The database's time."""
        return self.sql("SELECT clock_timestamp()")[0][0]

    def unsettled(self, *, until: Any = None, external: bool = False) -> int:
        """How many deliveries of the services, or those that are mails, are due or being tried.

        Args:
            until: of events published by then; all by default.
        """
        pattern = "users.email%" if external else "%"
        rows = self.sql(
            UNSETTLED + ("" if external else " AND d.handler NOT LIKE 'users.email%%'"), pattern, until or self.now()
        )
        return int(rows[0][0])

    def tails(self) -> str:
        """The last lines of every process's log, for whoever looks into a failure."""
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    # The end.

    def close(self) -> None:
        """End everything and leave nothing."""
        for name in list(self.processes):
            self.kill(name)
        self.clients.close()
        self.mail.close()
        self.broker.close()
        self.broker_proxy.close()
        self.cache.close()
        self.cache_proxy.close()
        self.web_proxy.close()
        self.database_proxy.close()
        self.postgres.remove()


@contextmanager
def cluster(directory: Path, *, broker: str, fsync: bool = True, hurry: bool = False) -> Iterator[Cluster]:
    """A cluster that runs, and is gone at the end.

    Args:
        fsync: whether its PostgreSQL waits for the disk.
        hurry: whether what lasts for its own sake, such as a broker's absence, may be cut short; and slowness is no
            finding, as other tests run beside it.
    """
    with ExitStack() as stack:
        started = Cluster(directory, broker=broker, fsync=fsync, hurry=hurry)
        stack.callback(started.close)
        started.set_up()
        yield started


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its number."""
    with suppress(psutil.NoSuchProcess):
        return lives(psutil.Process(pid))
    return False


def _name_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):  # it may end at any time
        return process.name()
    return ""
