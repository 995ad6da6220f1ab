"""Each kind of fault by itself, on a cluster that they share: nothing lost, nothing doubled, drained in time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.faults import campaign, journal
from tests.faults.cluster import Cluster, cluster
from tests.faults.journal import Client
from tests.faults.kinds import KINDS, Fault
from tests.faults.verdict import judge
from tests.system import eventually

pytestmark = pytest.mark.skipif(
    "postgresql" not in settings.DATABASES["default"]["ENGINE"],
    reason="the cluster starts a PostgreSQL of its own: once is enough",
)
ORDERS = 20


BROKER = "redis"


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with (
        tempfile.TemporaryDirectory(prefix="orderly-faults-") as directory,
        cluster(Path(directory), broker=request.module.BROKER, fsync=False, hurry=True) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def client(started: Cluster) -> Iterator[Client]:
    client = Client(started.url)
    client.start()
    yield client
    client.stop()


def test_a_client_takes_new_tokens_before_the_old_ones_expire(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "RENEWED_AFTER", -1)
    before = list(client.tokens)
    client.stay_logged_in()
    assert set(client.tokens).isdisjoint(before)
    assert len(client.tokens) == len(before)
    monkeypatch.undo()
    before = list(client.tokens)
    client.stay_logged_in()
    assert client.tokens == before, "they are good for a while"
    client.grant(2)
    eventually(client.quiet, within=30, what="the orders are placed")
    assert [attempt.outcome for attempt in client.journal[-2:]] == ["acknowledged"] * 2


@pytest.mark.timeout(300)  # some restart every process, twice, on a machine that other tests share
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_fault_loses_and_doubles_nothing(started: Cluster, client: Client, kind: Fault):
    if kind.lacks and not campaign.REQUIRED:
        pytest.skip(f"this machine lacks {kind.lacks}")
    nothing_is_lost_or_doubled_by(kind, started, client)


def nothing_is_lost_or_doubled_by(kind: Fault, started: Cluster, client: Client) -> None:
    tally = campaign.Tally()
    client.grant(ORDERS)
    campaign.inject(started, client, kind, tally)
    assert not tally.troubles, "\n".join([*tally.troubles, started.tails()])
    eventually(client.quiet, within=30, what="every order has been tried")
    eventually(lambda: not started.unsettled(), within=30, what="everything is settled")
    verdict = judge(started, client.journal, mails=False)
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == ([], [], [])
    assert verdict.units_journal == verdict.units_ledger
