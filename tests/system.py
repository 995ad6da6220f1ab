"""A running system for tests: real Redis, relay, web server and workers, on the database of the test."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import redis
from django.db import connection

from project.console.harness import programs, redis_server
from project.console.harness.process import LOOPBACK, NotReady, free_port, wait_until
from project.console.harness.process_table import ProcessTable

__all__ = ["ROOT", "System", "database_url", "eventually", "free_port", "running"]

ROOT = Path(__file__).parent.parent

Answer = TypeVar("Answer")


def eventually(check: Callable[[], Answer], *, within: float, what: str) -> Answer:
    """Return the first true answer of a check; fail the test after this many seconds."""
    try:
        return wait_until(check, within_s=within, what=what)
    except NotReady as error:
        raise AssertionError(str(error)) from None


def database_url() -> str:
    """The URL of the database that this test uses."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    host = settings["OPTIONS"].get("host") or settings["HOST"]
    user = f"{settings['USER']}:{settings['PASSWORD']}@" if settings["USER"] else ""
    if host.startswith("/"):
        return f"postgres://{user}/{settings['NAME']}?host={host}"
    return f"postgres://{user}{host}:{settings['PORT'] or 5432}/{settings['NAME']}"


class System(ProcessTable):
    """Processes that a test starts, and that end with it."""

    def __init__(self, directory: Path, *, database: str = "") -> None:
        self.socket = directory / "redis.sock"
        self.clients = ExitStack()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            "DATABASE_URL": database or database_url(),
            "BROKER_URL": f"redis+socket://{self.socket}",
            "DATA_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DEBUG": "1",
            "WELCOME_SKU": "",
        }
        super().__init__(directory, cwd=ROOT, environment=environment)

    def redis(self) -> "redis.Redis":
        """Start an empty Redis; return a client."""
        self.processes["redis"] = redis_server.start(self.socket, log=self.log("redis"))
        return self.clients.enter_context(redis.Redis(unix_socket_path=str(self.socket)))

    def relay(self) -> None:
        self.start("relay", *programs.relay())

    def web(self, application: str = "project.wsgi", *options: str) -> str:
        """Start a web server; return its address."""
        address = f"{LOOPBACK}:{free_port()}"
        self.start("web", *programs.web(application, address=address), *options)

        def is_healthy() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(f"http://{address}/healthz", trust_env=False, timeout=5).is_success
            return False

        eventually(is_healthy, within=60, what="the web server answers")
        return f"http://{address}"

    def worker(self, queues: str, *options: str, name: str = "", wait: bool = True, **environment: str) -> None:
        """Start a worker with a pool of one process, and wait until it is ready."""
        name = name or queues
        self.log(name).unlink(missing_ok=True)  # otherwise the log of its predecessor would say that it is ready
        self.start(name, *programs.worker(queues, app="project", processes=1, name=name), *options, **environment)
        if wait:
            self.wait_for_worker(name)


@contextmanager
def running(directory: Path) -> Iterator[System]:
    """Yield a system and stop it after the block; pytest shows the end of its logs when the test fails."""
    system = System(directory)
    try:
        yield system
    finally:
        system.clients.close()
        system.kill_all()
        print(system.tails(characters=5000))  # noqa: T201 - pytest captures it
