"""The kinds of faults that a broker has a part in, on RabbitMQ; `make faults` has all of them on it."""

import os

import pytest
from django.conf import settings

from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds import KINDS, Fault
from tests.faults.test_kinds import client, nothing_is_lost_or_doubled_by, started

__all__ = ["client", "started"]

BROKER = "rabbitmq"
pytestmark = [
    pytest.mark.skipif(
        "postgresql" not in settings.DATABASES["default"]["ENGINE"],
        reason="the cluster starts a PostgreSQL of its own: once is enough",
    ),
    pytest.mark.skipif(
        not (os.environ.get("RABBITMQ_URL") or os.environ.get("REQUIRE_SERVICES")),
        reason="RABBITMQ_URL names no RabbitMQ",
    ),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.area in ("broker", "message")], ids=lambda kind: kind.name
)
def test_a_fault_loses_and_doubles_nothing(started: Cluster, client: Client, kind: Fault):
    nothing_is_lost_or_doubled_by(kind, started, client)
