"""`manage.py demo`: everything at once, judged from the outside."""

import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from inventory import operations
from inventory.models import Stock
from project.console.demo_shop import Outcome
from project.console.management.commands.demo import broken_invariants
from tests.console.leftovers import Marker
from tests.system import System, eventually


@pytest.fixture
def temporary(system: System) -> Path:
    """Where the demo makes its directory: on the test's database, and with a broker of its own."""
    del system.environment["BROKER_URL"]
    temporary = system.directory / "t"
    temporary.mkdir()
    system.environment["TMPDIR"] = str(temporary)
    return temporary


@pytest.fixture
def marker(system: System) -> Marker:
    marker = Marker(system.directory)
    system.environment |= marker.environment
    return marker


@pytest.mark.timeout(300)  # it starts a dozen processes, each of which takes a second of a core
def test_it_ends_with_its_figures_and_the_invariants_and_leaves_nothing(system, temporary, marker):
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
    assert not marker.left()
    assert not list(temporary.iterdir())


def test_interrupted_it_leaves_nothing(system, temporary, marker):
    demo = system.start("demo", sys.executable, "manage.py", "demo")
    eventually(lambda: "users 10/10" in system.log("demo").read_text(), within=60, what="users are registered")
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=30) == 130
    assert "nothing is left running" in system.log("demo").read_text()
    assert not marker.left()
    assert not list(temporary.iterdir())
    system.processes.clear()


def test_when_it_cannot_start_it_says_why_and_where_the_log_is(system, temporary, marker):
    system.environment["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/orderly"
    demo = system.manage("demo")
    assert demo.returncode == 1
    (line,) = demo.stderr.splitlines()
    assert "manage.py migrate failed: " in line
    assert "127.0.0.1" in line
    (directory,) = temporary.iterdir()
    assert line.endswith(str(directory))
    assert not marker.left()


def test_the_verdict_names_every_broken_invariant(system):
    outcome = Outcome(users=1, statuses=Counter(confirmed=1), scarce_units=3, scarce_sold=4, cancelled_id="none")
    status = {"events": {"unsettled": 2}, "deliveries": {"dead": 1}}
    operations.add_product(sku="CUP", name="Cup", price="4.50", currency="EUR")
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


def test_the_verdict_on_a_sound_system_is_empty(system):
    outcome = Outcome(users=1, statuses=Counter(cancelled=1), scarce_units=3, scarce_sold=3, cancelled_id="none")
    status = {"events": {"unsettled": 0}, "deliveries": {"dead": 0}}
    assert broken_invariants(outcome, status=status, environment=system.environment) == []
