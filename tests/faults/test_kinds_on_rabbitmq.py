"""The kinds of faults that involve a broker, on RabbitMQ; `make faults` has all of them on it."""

import pytest

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds import KINDS, Fault
from tests.faults.test_kinds import assert_nothing_is_lost_or_duplicated

BROKER = "rabbitmq"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.area in ("broker", "message")], ids=lambda kind: kind.name
)
def test_a_fault_loses_and_duplicates_nothing(started: Cluster, client: Client, kind: Fault):
    assert_nothing_is_lost_or_duplicated(kind, started, client)
