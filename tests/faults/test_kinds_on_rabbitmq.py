"""The kinds of faults that a broker has a part in, on RabbitMQ; `make faults` has all of them on it."""

import pytest

from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds import KINDS, Fault
from tests.faults.test_kinds import nothing_is_lost_or_doubled_by

BROKER = "rabbitmq"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.area in ("broker", "message")], ids=lambda kind: kind.name
)
def test_a_fault_loses_and_doubles_nothing(started: Cluster, client: Client, kind: Fault):
    nothing_is_lost_or_doubled_by(kind, started, client)
