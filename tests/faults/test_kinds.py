"""Each kind of fault alone, on a shared cluster: nothing lost, nothing duplicated, everything drained."""

import pytest

from tests.faults import campaign, client_history
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds import KINDS, Fault
from tests.faults.verdict import judge
from tests.services import need
from tests.system import eventually

ORDERS = 20
BROKER = "redis"


def test_a_client_takes_new_tokens_before_the_old_ones_expire(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_history, "TOKEN_RENEWAL_S", -1)
    before = client.tokens
    client.renew_tokens()
    assert client.tokens.keys() == before.keys()
    assert not set(client.tokens.values()) & set(before.values())
    monkeypatch.undo()
    before = client.tokens
    client.renew_tokens()
    assert client.tokens is before, "fresh tokens are kept"
    client.grant(2)
    eventually(client.is_idle, within=30, what="the orders are placed")
    assert [attempt.outcome for attempt in client.history[-2:]] == ["acknowledged"] * 2


@pytest.mark.timeout(300)  # some restart every process twice, while other tests run
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_fault_loses_and_duplicates_nothing(started: Cluster, client: Client, kind: Fault):
    need(not kind.lacks, what=kind.lacks)
    assert_nothing_is_lost_or_duplicated(kind, started, client)


def assert_nothing_is_lost_or_duplicated(kind: Fault, started: Cluster, client: Client) -> None:
    result, first = campaign.FaultResult(), len(client.history)
    client.grant(ORDERS)
    campaign.inject(started, client, kind, result)
    assert not result.problems, "\n".join([*result.problems, started.tails()])
    eventually(client.is_idle, within=30, what="every order has been tried")
    eventually(lambda: not started.unsettled_deliveries(), within=30, what="everything is settled")
    meanwhile = client.history[first:]
    assert any(attempt.outcome == "acknowledged" for attempt in meanwhile), "no order was taken"
    assert not [attempt for attempt in meanwhile if attempt.outcome != "acknowledged" and not attempt.may_fail]
    verdict = judge(started, client.history, mails=False)
    assert (verdict.lost, verdict.duplicated, verdict.unexpected) == ([], [], [])
    assert verdict.units_history == verdict.units_ledger
