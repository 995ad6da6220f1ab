"""Each kind of fault by itself, on a cluster that they share: nothing lost, nothing doubled, all drained."""

import pytest

from tests.faults import campaign, journal
from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds import KINDS, Fault
from tests.faults.verdict import judge
from tests.services import need
from tests.system import eventually

ORDERS = 20
BROKER = "redis"


def test_a_client_takes_new_tokens_before_the_old_ones_expire(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "RENEWED_AFTER", -1)
    before = client.tokens
    client.stay_logged_in()
    assert client.tokens.keys() == before.keys()
    assert not set(client.tokens.values()) & set(before.values())
    monkeypatch.undo()
    before = client.tokens
    client.stay_logged_in()
    assert client.tokens is before, "they are good for a while"
    client.grant(2)
    eventually(client.quiet, within=30, what="the orders are placed")
    assert [attempt.outcome for attempt in client.journal[-2:]] == ["acknowledged"] * 2


@pytest.mark.timeout(300)  # some restart every process, twice, on a machine that other tests share
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_fault_loses_and_doubles_nothing(started: Cluster, client: Client, kind: Fault):
    need(not kind.lacks, what=kind.lacks)
    nothing_is_lost_or_doubled_by(kind, started, client)


def nothing_is_lost_or_doubled_by(kind: Fault, started: Cluster, client: Client) -> None:
    tally, first = campaign.Tally(), len(client.journal)
    client.grant(ORDERS)
    campaign.inject(started, client, kind, tally)
    assert not tally.troubles, "\n".join([*tally.troubles, started.tails()])
    eventually(client.quiet, within=30, what="every order has been tried")
    eventually(lambda: not started.unsettled(), within=30, what="everything is settled")
    meanwhile = client.journal[first:]
    assert any(attempt.outcome == "acknowledged" for attempt in meanwhile), "no order was taken"
    assert not [attempt for attempt in meanwhile if attempt.outcome != "acknowledged" and not attempt.excused]
    verdict = judge(started, client.journal, mails=False)
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == ([], [], [])
    assert verdict.units_journal == verdict.units_ledger
