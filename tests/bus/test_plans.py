"""The hot statements get their one good plan, also while the planner thinks that the table of deliveries is empty."""

import pytest
from django.db import connection, transaction

from project.bus import publish
from project.bus.backends import postgresql
from project.bus.models import Delivery
from tests.bus.events import Pinged

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's plans do not depend on statistics"),
]

#: The names of the partial indexes of both kinds of claim, and of the unique one.
FRESH, RETRIED = (index.name for index in Delivery._meta.indexes[:2])
ONCE = Delivery._meta.constraints[0].name


def ping(event): ...


@pytest.fixture(params=[0, 100_000], ids=["thought empty", "thought large"])
def deliveries(request, subscribed):
    """A table with 4,000 rows, while the planner thinks that it has another number."""
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
            postgresql._CLAIM_FRESH,
            ("off", "bus.ping", 0.0, "bus.ping", False, 1000, 2.0, "bus.ping"),
            {FRESH, "Tid Scan on bus_delivery"},
        ),
        (postgresql._FIRST_RETRY, ("bus.ping", 0.0), {RETRIED}),
        (postgresql._HANDLER_HEADS, ("[]",), {FRESH, RETRIED}),
        (
            postgresql._ACK,
            (list(range(1000)), ["(0,1)"] * 1000, 1, "worker"),
            {"Tid Scan on bus_delivery"},
        ),
    ],
    ids=["claim", "first retry", "poll of the relay", "ack"],
)
def test_a_hot_statement_finds_deliveries_by_their_partial_index_or_place(deliveries, statement, parameters, ways):
    found = plan(statement, *parameters)
    assert "Seq Scan on bus_delivery" not in found, found
    assert ONCE not in found, found
    assert "bus_delivery_pkey" not in found, found
    assert all(way in found for way in ways), found


def test_the_unique_index_is_never_used_to_find_a_handlers_deliveries(deliveries):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {FRESH}, {RETRIED}")
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert ONCE not in plan(
        "SELECT id FROM bus_delivery WHERE handler = 'bus.ping' AND attempts = 0 ORDER BY due_at, id"
    )
