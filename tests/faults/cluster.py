"""The whole system in processes of its own, with a proxy in front of every server.

A web server, two relays and two workers per queue, on a PostgreSQL, a broker and a mail server of their own.
"""

import random
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

from tests.console.leftovers import is_alive
from tests.faults import fault_events, fault_points
from tests.faults.brokers import QUEUES, Broker, RabbitMQ, Redis
from tests.faults.mail import MailServer
from tests.faults.postgres import DATABASE, Postgres
from tests.faults.proxy import Proxy
from tests.system import System, eventually

#: There is enough of every product for all orders, but little of SCARCE, so some orders are rejected.
PRODUCTS = tuple(f"P{number}" for number in range(8))
SCARCE = "SCARCE"
#: Many customers order this one at the same moment, and there is not enough of it.
HOT, HOT_UNITS = "HOT", 30

#: How long the runner repeats a statement of its own while the database is away.
DATABASE_RETRY_S = 30.0

#: Due deliveries of handlers within the database, which a healthy system drains. Mails are counted apart.
COUNT_UNSETTLED = """
    SELECT count(*) FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id
    WHERE d.dead_at IS NULL AND (d.attempts > 0 OR d.due_at <= now()) AND split_part(d.handler, '.', 1) <> 'faults'
        AND (d.handler LIKE %s) AND e.time <= %s
"""


class Cluster(System):
    """The system, with means to break it."""

    def __init__(self, directory: Path, *, broker: str, fsync: bool, shortened: bool) -> None:
        self.is_shortened = shortened
        self.postgres = Postgres(directory, fsync=fsync)
        self.database_proxy = Proxy(to=lambda: self.postgres.socket)
        database = f"postgres://postgres@127.0.0.1:{self.database_proxy.port}/{DATABASE}"
        super().__init__(directory, database=database)
        self.broker: Broker = {"redis": Redis, "rabbitmq": RabbitMQ}[broker](directory)
        self.broker_proxy = Proxy(to=lambda: self.broker.address)
        self.cache = Redis(directory, name="cache")
        self.cache_proxy = Proxy(to=lambda: self.cache.address)
        self.mail = MailServer()
        self.fault_directory = directory / "points"
        self.fault_directory.mkdir()
        self.environment |= {
            "BROKER_URL": self.broker.url(port=self.broker_proxy.port),
            "CACHE_URL": self.cache.url(port=self.cache_proxy.port),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "MAX_MAILS_PER_DAY": "1000000",  # the verdict expects a mail for each delivery of one
            "FAULT_DIR": str(self.fault_directory),
            "TMPDIR": str(directory),  # a killed worker leaves its temporary directory behind
            # A few customers place all orders.
            "MAX_OPEN_ORDERS": "1000000",
            "MAX_HELD_UNITS": "1000000",
            "UNSAFE_CALLS_PER_MINUTE": "1000000",
        }
        #: The port of the web server that gets new requests, through a proxy that outlives it.
        self.web_port = 0
        self.web_proxy = Proxy(to=lambda: ("127.0.0.1", self.web_port))
        self.random = random.Random(0)
        #: Handlers of the tests with dead letters on purpose.
        self.expected_dead_handlers: list[str] = []
        #: How often each event of the runner must take effect: 1 or 0.
        self.expected_effects: dict[UUID, int] = {}
        self._supervision = threading.Lock()

    def stop_broker(self) -> None:
        """Stop the broker and close all connections to it."""
        self.broker_proxy.refuse(True)
        self.broker.stop()

    def start_broker(self) -> None:
        """Start the broker; Redis is empty then."""
        self.broker.start()
        self.broker_proxy.refuse(False)

    @property
    def url(self) -> str:
        """The URL of the web server."""
        return f"http://127.0.0.1:{self.web_proxy.port}"

    def set_up(self) -> None:
        """Make the tables and the stock, and start everything."""
        self.manage_successfully("migrate", "--verbosity", "0")
        fault_events.set_up(self)
        self.manage_successfully(
            "shell", "-c", "from inventory import operations as o; o.add_location(code='MAIN', name='Main')"
        )
        stock = self.directory / "stock.csv"
        rows = [f"{sku},MAIN,1000000,first,{sku},2.50" for sku in PRODUCTS] + [
            f"{SCARCE},MAIN,40,first,Scarce,9.00",
            f"{HOT},MAIN,{HOT_UNITS},first,Hot,3.00",
        ]
        stock.write_text("\n".join(["sku,location,quantity,reason,name,price", *rows]) + "\n")
        self.manage_successfully("import_stock", str(stock))
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
        """Start a process with fault points by its name: web, relay1, orders2. A new web server gets new requests."""
        if name == "web":
            self.web_port = int(self.web("tests.faults.web", "--log-level", "warning").rpartition(":")[2])
        elif name.startswith("relay"):
            self.start(name, sys.executable, "-m", "tests.faults.relay", **environment)
        else:
            points = ("-I", "tests.faults.worker,tests.faults.handlers")
            self.worker(name[:-1], *points, name=name, wait=wait, **environment)

    def start_workers(self, *names: str, **environment: str) -> None:
        """Start workers concurrently, and wait until all are ready."""
        for name in names:
            self.start_named(name, wait=False, **environment)
        for name in names:
            self.wait_for_worker(name)

    def restart_dead(self) -> None:
        """Restart processes that have ended, as a supervisor does."""
        with self._supervision:  # a concurrent fault waits for its recovery, too
            for name, process in list(self.processes.items()):
                # Another thread may have ended it on purpose and removed it.
                if process.poll() is not None and self.processes.get(name) is process:
                    del self.processes[name]
                    self.start_named(name)

    def main_process(self, name: str) -> psutil.Process:
        """The main process of a name."""
        return psutil.Process(self.processes[name].pid)

    def pool_process(self, name: str) -> psutil.Process:
        """The pool process of a worker, which runs the handlers."""
        found: list[psutil.Process] = eventually(
            lambda: [
                child
                for child in self.main_process(name).children()
                if is_alive(child) and _name_of(child) not in ("", "resource_tracker")
            ],
            within=30,
            what=f"{name} has a pool process",
        )
        return found[0]

    def workers(self, *queues: str) -> list[str]:
        """The names of the workers of these queues, or of all."""
        return [f"{queue}{number}" for queue in queues or QUEUES for number in (1, 2)]

    def hold(self, seconds: float) -> None:
        """Let a fault last; a tenth of the time in a shortened run."""
        time.sleep(seconds / 10 if self.is_shortened else seconds)

    # The fault points of workers and web server.

    def arm_fault_point(self, point: str, **order: Any) -> None:
        """Have the next process that reaches a point do something, as tests/faults/fault_points.py describes."""
        fault_points.arm(self.fault_directory, point, **order)

    def wait_for_fault_point(self, point: str) -> int:
        """Wait until a process reached an armed point; its pid."""
        pids: list[int] = eventually(
            lambda: fault_points.fired(self.fault_directory, point),
            within=20,
            what=f"a process reaches the point {point!r}",
        )
        return pids[0]

    # Commands and the database, without the proxies.

    def manage_successfully(self, *arguments: str) -> str:
        """Run a management command that must succeed; what it printed."""
        done = self.manage(*arguments)
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the database, without the proxy and without the code of the project.

        The statement is repeated while a fault keeps the database away, so it must be safe to repeat.
        """
        deadline = time.monotonic() + DATABASE_RETRY_S
        while True:
            try:
                return self.postgres.sql(query, *parameters)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def confirm_addresses(self) -> None:
        """Confirm the address of every account, so that mails about its orders are sent."""
        self.sql("UPDATE users_user SET email_confirmed_at = now() WHERE email_confirmed_at IS NULL")

    def now(self) -> Any:
        """The database's time."""
        return self.sql("SELECT clock_timestamp()")[0][0]

    def unsettled_deliveries(self, *, until: Any = None, external: bool = False) -> int:
        """How many deliveries of the services, or how many mails, are due or being retried.

        Args:
            until: count only events published by then.
        """
        pattern = "users.email%" if external else "%"
        rows = self.sql(
            COUNT_UNSETTLED + ("" if external else " AND d.handler NOT LIKE 'users.email%%'"),
            pattern,
            until or self.now(),
        )
        return int(rows[0][0])

    def close(self) -> None:
        """Stop everything and delete the database."""
        self.kill_all()
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
def cluster(directory: Path, *, broker: str, fsync: bool = True, shortened: bool = False) -> Iterator[Cluster]:
    """A running cluster until the end of the block.

    Args:
        fsync: whether its PostgreSQL waits for the disk.
        shortened: whether faults that are about a duration may be cut short, and slow recoveries pass, because other
            tests run at the same time.
    """
    with ExitStack() as stack:
        started = Cluster(directory, broker=broker, fsync=fsync, shortened=shortened)
        stack.callback(started.close)
        started.set_up()
        yield started


def is_pid_alive(pid: int) -> bool:
    """Whether the process of this number still runs."""
    with suppress(psutil.NoSuchProcess):
        return is_alive(psutil.Process(pid))
    return False


def _name_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):  # it may end at any time
        return process.name()
    return ""
