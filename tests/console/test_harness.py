"""The harness that starts and stops processes for `up`, tests, faults and benchmarks."""

import os
import signal
import socket
import sys
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from project.console.harness import process, process_table, programs, redis_server
from project.console.harness.process_table import ProcessTable
from tests.console.leftovers import ProcessMarker

pytestmark = pytest.mark.once

STUBBORN = "trap '' TERM; echo ready; sleep 1000 & while :; do sleep 0.05; done"


@pytest.fixture
def marker(tmp_path: Path) -> ProcessMarker:
    return ProcessMarker(tmp_path)


@pytest.fixture
def table(tmp_path: Path, marker: ProcessMarker):
    table = ProcessTable(tmp_path, cwd=tmp_path, environment=os.environ | marker.environment)
    yield table
    table.kill_all()


def test_a_process_that_ignores_sigterm_is_killed_with_its_children(table, marker):
    stubborn = table.start("stubborn", "sh", "-c", STUBBORN)
    table.wait_until_ready("stubborn", lambda: "ready" in table.printed("stubborn"))
    assert not process.stop(stubborn, limit_s=0.2)
    assert stubborn.returncode == -signal.SIGKILL
    assert not marker.leftovers()


def test_waiting_for_a_process_that_ends_fails_with_its_log(table):
    table.start("broken", "sh", "-c", "echo a reason; exit 3")
    with pytest.raises(process.NotReady, match=r"(?s)ended with exit code 3 before this: broken is ready.*a reason"):
        table.wait_until_ready("broken", lambda: False)


def test_waiting_fails_at_the_time_limit(table):
    table.start("slow", "sleep", "1000")
    with pytest.raises(process.NotReady, match=r"not within 0\.1 s: slow is ready"):
        table.wait_until_ready("slow", lambda: False, within_s=0.1)


def test_terminate_removes_a_process_from_the_table_and_others_keep_running(table):
    for name in ("one", "two"):
        table.start(name, "sleep", "1000")
    assert table.terminate("one")["one"].returncode == -signal.SIGTERM
    assert table.pids() == {"two": table.processes["two"].pid}


def test_terminate_kills_and_names_a_process_that_ignores_it(table, marker, monkeypatch):
    monkeypatch.setattr(process_table, "STOP_LIMIT_S", 0.2)
    table.start("stubborn", "sh", "-c", STUBBORN)
    table.wait_until_ready("stubborn", lambda: "ready" in table.printed("stubborn"))
    with pytest.raises(process.NotReady, match=r"not ended 0\.2 s after SIGTERM: stubborn"):
        table.terminate("stubborn")
    assert not marker.leftovers()


def test_a_process_gets_the_variables_of_the_table_and_its_own(table):
    table.environment["SHARED"] = "shared"
    table.start("printer", "sh", "-c", "echo $SHARED $OWN", OWN="own").wait()
    assert table.printed("printer") == "shared own\n"
    assert "--- printer.log\nshared own" in table.tails()


def test_the_command_of_the_relay_is_the_documented_one():
    assert programs.relay() == [sys.executable, *programs.RELAY] == programs.manage(*programs.RELAY[1:])


def test_without_its_package_a_redis_server_on_the_path_is_used(tmp_path, monkeypatch):
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.find_binary() == str(server)


def test_a_redis_server_that_is_slow_to_answer_counts_as_running(monkeypatch):
    monkeypatch.setattr(redis_server, "ANSWER_LIMIT_S", 0.1)
    with TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as silent:
        path = Path(directory) / "redis.sock"
        assert not redis_server.answers(path)
        silent.bind(str(path))
        silent.listen()
        assert redis_server.answers(path)


def test_a_redis_server_that_never_answers_is_not_left_running(tmp_path, marker, monkeypatch):
    monkeypatch.setattr(redis_server, "START_LIMIT_S", 0.3)
    monkeypatch.setattr(redis_server, "command", lambda path: ["sleep", "1000"])
    for name, value in marker.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(process.NotReady, match="Redis answers"):
        redis_server.start(tmp_path / "redis.sock", log=tmp_path / "redis.log")
    assert not marker.leftovers()


def test_the_redis_server_takes_no_huge_message_and_no_more_than_its_memory(tmp_path):
    server = redis_server.start(tmp_path / "redis.sock", log=tmp_path / "redis.log")
    try:
        with redis.Redis(unix_socket_path=str(tmp_path / "redis.sock")) as client:
            with pytest.raises(redis.RedisError):
                client.lpush("orders", b"x" * 1_100_000)
            assert client.llen("orders") == 0
            with pytest.raises(redis.OutOfMemoryError):
                [client.lpush("orders", b"x" * 1_000_000) for _ in range(100)]
            assert client.rpop("orders"), "what is there can be taken, and nothing was evicted"
    finally:
        process.kill_group(server)
