"""The benchmark refuses to measure unfairly. No test asserts a speed."""

import tempfile
from pathlib import Path

import pytest
from django.db import connection

from benchmarks.broker import broker
from benchmarks.harness import Harness, agent
from benchmarks.orders import generate_orders
from benchmarks.servers import Postgres, Refused, Sqlite
from benchmarks.systems import SYSTEMS
from benchmarks.verification import WrongRows, expected_rows, verify
from benchmarks.workloads import WORKLOADS
from tests.system import database_url


@pytest.fixture
def harness_with(monkeypatch):
    """A harness on its own SQLite and Redis; servers in the environment are ignored."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    # pytest's directories are too long for the path of a unix socket.
    with tempfile.TemporaryDirectory(prefix="orderly-") as name, broker(Path(name)) as redis:
        yield lambda **options: Harness(Path(name), server=Sqlite(Path(name)), broker=redis, **options)


@pytest.mark.django_db
def test_a_server_that_does_not_wait_for_its_disk_is_an_error():
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite each system sets this itself")
    url = database_url()
    with pytest.raises(Refused, match="synchronous_commit = off"):
        Postgres(f"{url}{'&' if '?' in url else '?'}options=-c%20synchronous_commit%3Doff")


def test_too_little_history_is_an_error(harness_with):
    with pytest.raises(Refused, match="fewer than 20,000 settled orders"):
        harness_with(history=40).prepare([SYSTEMS["ours"]])


def test_ours_and_the_naive_peer_write_the_expected_rows(harness_with):
    harness = harness_with(history=40, min_history=0)
    peers = [SYSTEMS["ours"], SYSTEMS["naive"]]
    harness.prepare(peers)
    for system in peers:
        measured = harness.measure(system, WORKLOADS["bulk"], orders=50, round_=1)
        assert measured.orders == 50
        assert set(system.order_programs) <= set(measured.cpu)
    measured = harness.measure(SYSTEMS["ours"], WORKLOADS["latency"], orders=3, round_=2)
    assert len(measured.latencies) == 3
    assert all(0 < latency < 600_000 for latency in measured.latencies), "milliseconds of one clock"
    assert measured.lock_errors == 0


def test_the_time_of_an_order_is_measured_by_step_and_statement(harness_with):
    harness, ours = harness_with(history=40, min_history=0), SYSTEMS["ours"]
    harness.prepare([ours])
    with harness.running(ours, harness.fresh(ours), ()) as processes:
        found = processes.ask("steps", *agent(ours, "steps", "--orders", "10"))
    spent = {(step, what): microseconds for step, what, microseconds in found}
    assert all(spent[step, "Python"] > 0 for step in ("place", "reserve", "confirm"))
    assert {("place", "writes bus_event"), ("reserve", "writes bus_receipt"), ("confirm", "writes orders_order")} <= {
        *spent
    }


def test_unexpected_rows_are_an_error():
    facts = expected_rows(generate_orders(count=3, seed=1))
    verify("a system", facts, facts)
    with pytest.raises(WrongRows, match=r"a system.*confirmed: 2, not 3"):
        verify("a system", {**facts, "confirmed": 2}, facts)


def test_the_same_seed_gives_the_same_orders():
    assert generate_orders(count=20, seed=5, mix="hot") == generate_orders(count=20, seed=5, mix="hot")
    assert generate_orders(count=20, seed=5) != generate_orders(count=20, seed=6)
