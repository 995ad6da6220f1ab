"""The hot statements have one good plan, and get it also while the planner takes the table of deliveries for empty."""

import pytest
from django.db import connection, transaction

from project.bus import claims, endings, relay
from project.bus.outbox import publish
from tests.bus.events import Pinged

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's plans do not depend on statistics"),
]


def ping(event): ...


@pytest.fixture(params=[0, 100_000], ids=["taken for empty", "taken for large"])
def deliveries(request, subscribed):
    """A table with some rows, of which the planner holds something else."""
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(4000)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = %s, relpages = 10 WHERE relname = 'bus_delivery'", [request.param]
        )


def plan(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("statement", "parameters", "ways"),
    [
        (
            claims._CLAIM_POSTGRESQL,
            ("off", "bus.ping", 0.0, "bus.ping", False, 1000, 2.0, "bus.ping"),
            {"delivery_fresh", "Tid Scan on bus_delivery"},
        ),
        (claims._PROBE_POSTGRESQL, ("bus.ping", 0.0), {"delivery_tried"}),
        (relay._PROBE_POSTGRESQL, ("[]",), {"delivery_fresh", "delivery_tried"}),
        (
            endings._FINISH_POSTGRESQL,
            (list(range(1000)), ["(0,1)"] * 1000, 1, "worker"),
            {"Tid Scan on bus_delivery"},
        ),
    ],
    ids=["claim", "look for what was tried", "look of the relay", "finish"],
)
def test_a_hot_statement_finds_deliveries_by_their_index_or_place(deliveries, statement, parameters, ways):
    found = plan(statement, *parameters)
    assert "Seq Scan on bus_delivery" not in found, found
    assert "delivery_once" not in found, found
    assert "bus_delivery_pkey" not in found, found
    assert all(way in found for way in ways), found


def test_the_index_that_sees_to_uniqueness_is_no_way_to_a_handlers_deliveries(deliveries):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX delivery_fresh, delivery_tried")
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "delivery_once" not in plan(
        "SELECT id FROM bus_delivery WHERE handler = 'bus.ping' AND attempts = 0 ORDER BY due_at, id"
    )
