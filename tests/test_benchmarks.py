"""The benchmark measures fairly or not at all; how fast anything is, no test says."""

import tempfile
from pathlib import Path

import pytest
from django.db import connection

from benchmarks.agreement import Disagreement, check, expected
from benchmarks.processes import ask
from benchmarks.servers import Postgres, Refused, Sqlite, broker
from benchmarks.specs import specs
from benchmarks.stage import Stage, agent
from benchmarks.systems import SYSTEMS
from benchmarks.workloads import WORKLOADS
from tests.system import database_url


@pytest.fixture
def stage_with(monkeypatch):
    """A stage on SQLite and on a Redis of its own, whatever servers the tests were given."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    # A unix socket's path is short, pytest's directories are not.
    with tempfile.TemporaryDirectory(prefix="orderly-") as name, broker(Path(name)) as redis:
        yield lambda **options: Stage(Path(name), server=Sqlite(Path(name)), broker=redis, **options)


@pytest.mark.django_db
def test_a_server_that_does_not_wait_for_its_disk_is_refused():
    if connection.vendor == "sqlite":
        pytest.skip("each system sets that for itself on SQLite")
    url = database_url()
    with pytest.raises(Refused, match="synchronous_commit = off"):
        Postgres(f"{url}{'&' if '?' in url else '?'}options=-c%20synchronous_commit%3Doff")


def test_too_little_history_is_refused(stage_with):
    with pytest.raises(Refused, match="fewer than 20,000 settled orders"):
        stage_with(history=40).prepare([SYSTEMS["ours"]])


def test_ours_and_the_naive_peer_leave_the_rows_that_the_same_orders_ask_for(stage_with):
    stage = stage_with(history=40, least_history=0)
    peers = [SYSTEMS["ours"], SYSTEMS["naive"]]
    stage.prepare(peers)
    for system in peers:
        measured = stage.measure(system, WORKLOADS["bulk"], orders=50, round_=1)
        assert measured.orders == 50
        assert set(system.carriers) <= set(measured.cpu)
    late = stage.measure(SYSTEMS["ours"], WORKLOADS["latency"], orders=3, round_=2)
    assert len(late.latencies) == 3
    assert all(0 < latency < 600_000 for latency in late.latencies), "both times are of one clock, in milliseconds"
    assert late.lock_errors == 0


def test_the_time_of_an_order_is_told_by_step_and_statement(stage_with):
    stage, ours = stage_with(history=40, least_history=0), SYSTEMS["ours"]
    stage.prepare([ours])
    with stage.running(ours, stage.fresh(ours), ()) as processes:
        found = ask(processes.start("steps", agent(ours, "steps", "--orders", "10"), talks=True))
    spent = {(step, what): microseconds for step, what, microseconds in found}
    assert all(spent[step, "Python"] > 0 for step in ("place", "reserve", "confirm"))
    assert {("place", "writes bus_event"), ("reserve", "writes bus_receipt"), ("confirm", "writes orders_order")} <= {
        *spent
    }


def test_rows_that_are_not_what_the_orders_ask_for_are_a_disagreement():
    facts = expected(specs(count=3, seed=1))
    check("somebody", facts, facts)
    with pytest.raises(Disagreement, match=r"somebody.*confirmed: 2, not 3"):
        check("somebody", {**facts, "confirmed": 2}, facts)


def test_the_same_seed_gives_the_same_orders():
    assert specs(count=20, seed=5, mix="hot") == specs(count=20, seed=5, mix="hot")
    assert specs(count=20, seed=5) != specs(count=20, seed=6)
