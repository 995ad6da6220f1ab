"""`manage.py demo` from the outside, with all its processes."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from django.core.management import call_command

from inventory import operations
from inventory.models import Stock
from project.console.harness import process, programs
from project.demo.management.commands import demo
from project.demo.management.commands.demo import broken_invariants
from project.demo.shop import DemoFailed, Outcome
from tests.console.leftovers import ProcessMarker
from tests.system import System, eventually


@pytest.fixture
def temporary_directory(system: System) -> Path:
    """Where the demo creates its directory. The demo uses the test's database and starts its own broker."""
    del system.environment["BROKER_URL"]
    temporary_directory = system.directory / "t"
    temporary_directory.mkdir()
    system.environment["TMPDIR"] = str(temporary_directory)
    return temporary_directory


@pytest.fixture
def marker(system: System) -> ProcessMarker:
    marker = ProcessMarker(system.directory)
    system.environment |= marker.environment
    return marker


@pytest.mark.timeout(300)  # starts a dozen processes, each of which takes a second of CPU time
def test_demo_prints_its_figures_and_invariants_and_leaves_no_processes_or_files(system, temporary_directory, marker):
    demo = system.manage("demo")
    assert demo.stdout.splitlines()[-6:] == [
        "users: 10",
        "orders: 50",
        "confirmed: 45",
        "rejected: 4",
        "cancelled: 1",
        "invariants: hold",
    ], demo.stdout + demo.stderr
    assert demo.returncode == 0
    assert not marker.leftovers()
    assert not list(temporary_directory.iterdir())


def test_interrupted_demo_leaves_no_processes_or_files(system, temporary_directory, marker):
    demo = system.start("demo", sys.executable, "manage.py", "demo")
    eventually(lambda: "users 10/10" in system.log("demo").read_text(), within=60, what="users are registered")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=30) == 130
    assert "no process is left running" in system.log("demo").read_text()
    assert not marker.leftovers()
    assert not list(temporary_directory.iterdir())
    system.processes.clear()


def test_failed_start_reports_the_reason_and_where_the_log_is(system, temporary_directory, marker):
    system.environment["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/orderly"
    demo = system.manage("demo")
    assert demo.returncode == 1
    (line,) = demo.stderr.splitlines()
    assert "manage.py migrate failed: " in line
    assert "127.0.0.1" in line
    (directory,) = temporary_directory.iterdir()
    assert line.endswith(str(directory))
    assert not marker.leftovers()


def test_every_broken_invariant_is_named(system):
    outcome = Outcome(users=1, statuses=Counter(confirmed=1), scarce_units=3, scarce_sold=4, cancelled_id="none")
    status = {"events": {"unsettled": 2}, "deliveries": {"dead": 1}}
    operations.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
    operations.add_location(code="MAIN", name="Main store")
    operations.receive_stock(sku="CUP", location="MAIN", quantity=5, reason="first delivery")
    Stock.objects.update(on_hand=6)
    broken = broken_invariants(outcome, status=status, environment=system.environment)
    assert broken[:4] == [
        "2 events are unsettled",
        "1 deliveries are dead",
        "of 3 units of GEISHA-RESERVE 4 were sold",
        "the cancelled order is not cancelled",
    ]
    assert broken[4].startswith("verify_stock: ")
    assert len(broken) == 5


def test_consistent_system_has_no_broken_invariant(system):
    outcome = Outcome(users=1, statuses=Counter(cancelled=1), scarce_units=3, scarce_sold=3, cancelled_id="none")
    status = {"events": {"unsettled": 0}, "deliveries": {"dead": 0}}
    assert broken_invariants(outcome, status=status, environment=system.environment) == []


@pytest.fixture
def _signals() -> Iterator[None]:
    """Restore the handlers that the demo replaces."""
    before = {number: signal.getsignal(number) for number in process.stopping_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_a_demo_that_breaks_an_invariant_fails_names_it_and_keeps_its_files(tmp_path, monkeypatch):
    @contextmanager
    def running(environment: Any, *, log: Path) -> Iterator[None]:
        yield None

    outcome = Outcome(users=1, statuses=Counter(confirmed=1), scarce_units=3, scarce_sold=4, cancelled_id="none")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(demo, "running_system", running)
    monkeypatch.setattr(demo, "shop", lambda client, *, progress: outcome)
    monkeypatch.setattr(demo, "wait_until_handled", lambda environment: {})
    monkeypatch.setattr(demo, "run_command", lambda *words, environment: CompletedProcess(words, 0, "a trace", ""))
    monkeypatch.setattr(demo, "broken_invariants", lambda outcome, **_: ["a unit was sold twice"])
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("demo", stdout=out, stderr=err)
    assert out.getvalue().endswith("invariants: BROKEN: a unit was sold twice\n")
    (directory,) = tmp_path.iterdir()
    assert str(directory) in err.getvalue()


@pytest.fixture
def up(tmp_path, monkeypatch):
    """Run a script instead of `manage.py up`, and no other command."""

    def up(script: str, *, ready: bool = True) -> None:
        monkeypatch.setattr(demo, "run_command", lambda *words, environment: CompletedProcess(words, 0, "", ""))
        monkeypatch.setattr(programs, "manage", lambda *words: ["sh", "-c", script])
        if ready:
            monkeypatch.setattr(
                demo,
                "wait_until_ready",
                lambda client, up, *, log: eventually(
                    lambda: "ready" in log.read_text(), within=15, what="it is ready"
                ),
            )
        with demo.running_system(os.environ | {"PORT": "1"}, log=tmp_path / "up.log"):
            pass

    return up


def test_a_system_that_does_not_start_fails_the_demo_with_the_last_line_of_its_log(up):
    with pytest.raises(DemoFailed, match=r"ended with exit code 3 before this: the API answers: port 1 is taken"):
        up("echo starting; echo port 1 is taken; exit 3", ready=False)


def test_a_system_that_does_not_stop_is_killed_and_fails_the_demo(up, monkeypatch):
    monkeypatch.setattr(demo, "STOP_LIMIT_S", 0.5)
    with pytest.raises(DemoFailed, match=r"did not stop within 0\.5 s"):
        up("trap '' TERM; echo ready; while :; do sleep 0.05; done")


def test_a_system_that_stops_with_an_error_fails_the_demo(up):
    with pytest.raises(DemoFailed, match="stopped with exit code 3"):
        up("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")


def test_the_demo_waits_until_no_event_is_unsettled_but_not_for_ever(monkeypatch):
    unsettled = iter([2, 1, 0, 7, 7])
    monkeypatch.setattr(
        demo,
        "run_command",
        lambda *words, environment: CompletedProcess(
            words, 0, json.dumps({"events": {"unsettled": next(unsettled)}}), ""
        ),
    )
    assert demo.wait_until_handled({}) == {"events": {"unsettled": 0}}
    monkeypatch.setattr(demo, "HANDLING_LIMIT_S", -1.0)
    assert demo.wait_until_handled({}) == {"events": {"unsettled": 7}}
