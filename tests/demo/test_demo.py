"""`manage.py demo` from the outside, with all its processes."""

import signal
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from inventory import operations
from inventory.models import Stock
from project.demo.management.commands.demo import broken_invariants
from project.demo.shop import Outcome
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
