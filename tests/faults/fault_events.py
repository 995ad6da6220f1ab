"""Publishes events for the handlers of tests/faults/handlers.py, and counts their effects, in SQL.

A campaign has no Django settings of its own, so it cannot call publish(); the orders of its client go through it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from tests.faults.cluster import Cluster

#: The handler of each event type. Their queue is that of the users service, whose other handlers are all external.
HANDLERS = {
    "faults.counted": "faults.count",
    "faults.raised": "faults.raise_on_poison",
    "faults.crashed": "faults.die_on_poison",
    "faults.dawdled": "faults.dawdle",
    "faults.widened": "faults.read",
    "faults.changed": "faults.read",
    "faults.unheard": "faults.read",
}


#: Keeps what is pruned for the verdict, which otherwise could not tell a handled event from a lost one.
PRUNED_TABLE = """
    CREATE TABLE faults_pruned_{table} ({columns});
    CREATE FUNCTION faults_keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO faults_pruned_{table} SELECT {names} FROM gone;
        RETURN NULL;
    END $$;
    CREATE TRIGGER faults_keep AFTER DELETE ON bus_{table} REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION faults_keep_{table}();
"""


def set_up(cluster: Cluster) -> None:
    """Make the table of effects, subscribe the handlers, and keep rows that are pruned."""
    cluster.sql(
        "CREATE TABLE faults_effect"
        " (event_id uuid NOT NULL, handler text NOT NULL, pid int NOT NULL, fields text NOT NULL DEFAULT '')"
    )
    for table, names, columns in (
        ("event", "id, type", "id uuid PRIMARY KEY, type text"),
        (
            "receipt",
            "delivery_id, event_id, handler, outcome",
            "delivery_id bigint PRIMARY KEY, event_id uuid, handler text, outcome text",
        ),
    ):
        cluster.sql(PRUNED_TABLE.format(table=table, names=names, columns=columns))
    for event_type, handler in HANDLERS.items():
        cluster.sql(
            "INSERT INTO bus_subscription (event_type, handler, queue, active, paused)"
            " VALUES (%s, %s, 'users', true, false)",
            *(event_type, handler),
        )


def publish(
    cluster: Cluster,
    event_type: str,
    events: Sequence[Mapping[str, Any]],
    *,
    version: int = 1,
    run: Callable[[str, Sequence[Any]], object] | None = None,
) -> list[UUID]:
    """Publish events with these data; poison must have no effect, and any other event one.

    Args:
        run: runs the statement; by default it is committed at once.

    Returns:
        The ids of the events.
    """
    rows = [{"id": str(uuid7()), "subject": str(data["number"]), "data": data} for data in events]
    ids = [UUID(str(row["id"])) for row in rows]
    cluster.expected_effects |= {id_: 0 if data.get("poison") else 1 for id_, data in zip(ids, events, strict=True)}
    run = run or (lambda query, parameters: cluster.sql(query, *parameters))
    run(
        """
        WITH event AS (
            INSERT INTO bus_event (id, type, version, subject, time, data, correlation_id)
            SELECT id, %s, %s, subject, now(), data, id
            FROM jsonb_to_recordset(%s::jsonb) AS given (id uuid, subject text, data jsonb)
            ON CONFLICT DO NOTHING RETURNING id, type
        )
        INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
        SELECT event.id, s.handler, now(), 0
        FROM event JOIN bus_subscription s ON s.event_type = event.type AND s.active ORDER BY event.id
        """,
        (event_type, version, json.dumps(rows)),
    )
    return ids


def unsettled(cluster: Cluster, ids: Sequence[UUID]) -> list[tuple[UUID, int, bool]]:
    """The deliveries of these events: id of the event, attempts, and whether it is a dead letter."""
    return [
        (event_id, attempts, dead)
        for event_id, attempts, dead in cluster.sql(
            "SELECT event_id, attempts, dead_at IS NOT NULL FROM bus_delivery WHERE event_id = ANY(%s)", list(ids)
        )
    ]


def attempts(cluster: Cluster, ids: Sequence[UUID]) -> list[int]:
    """The attempts of each of these events that is done."""
    return [row[0] for row in cluster.sql("SELECT attempts FROM bus_receipt WHERE event_id = ANY(%s)", list(ids))]


def fields_read(cluster: Cluster, ids: Sequence[UUID]) -> list[str]:
    """The fields that `faults.read` decoded from each of these events that is done, as name=value."""
    return [row[0] for row in cluster.sql("SELECT fields FROM faults_effect WHERE event_id = ANY(%s)", list(ids))]


def effect_counts(cluster: Cluster) -> Counter[UUID]:
    """How often each event took effect."""
    return Counter(dict(cluster.sql("SELECT event_id, count(*) FROM faults_effect GROUP BY 1")))
