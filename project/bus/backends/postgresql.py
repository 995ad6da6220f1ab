"""The bus's statements on PostgreSQL, each with the reason for its form beside it.

docs/adr/0012 to 0014 have the figures: statements are prepared, and written so that only one plan is possible.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from .base import Claim, Columns, HandlerHead
from .statements import Statements, as_json, to_time, to_uuid

#: Seconds of the first lease: from the claim to the handler's transaction, which then holds the rows itself.
LEASE_S = 2.0
#: The time-outs of a session that handles deliveries: a stopped worker releases its rows before those who wait for them
#: give up. And the cost of a random page: what a batch touches is in memory or on a disk without a moving head; the
#: default of 4 makes PostgreSQL read a table of 20,000 rows from end to end to find a batch of orders.
SESSION_LIMITS = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "random_page_cost": "1.1",
}

# One round trip. Deliveries are inserted in the order of their events (UUIDv7 sorts by age) and claimed in that order.
_INSERT_EVENTS = """
    WITH event AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%s::json) AS event
            (id uuid, type text, version int, subject text, sequence bigint, data jsonb,
             correlation_id uuid, causation_id uuid, traceparent text)
    ),
    written AS (
        INSERT INTO bus_event
            (id, type, version, subject, sequence, time, data, correlation_id, causation_id, traceparent)
        SELECT id, type, version, subject, sequence, now(), data, correlation_id, causation_id, traceparent FROM event
    )
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT event.id, subscription.handler, now() + %s * interval '1 second', 0
    FROM event JOIN bus_subscription subscription ON subscription.event_type = event.type AND subscription.active
    ORDER BY event.id, subscription.id
"""
_INSERT_DELIVERIES = """
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT event_id, handler, now(), 0 FROM unnest(%s::uuid[], %s::text[]) AS pair (event_id, handler)
    ON CONFLICT (event_id, handler) DO NOTHING
    RETURNING id
"""

# Two index probes a handler. Their order and conditions are those of the claims' partial indexes, and each begins at
# its watermark.
_HANDLER_HEADS = """
    SELECT h.handler, h.queue, fresh.id, retry.id, extract(epoch FROM fresh.due_at)::float8,
        extract(epoch FROM retry.due_at)::float8, extract(epoch FROM now())::float8
    FROM (
        SELECT handler, MAX(queue) AS queue FROM bus_subscription
        GROUP BY handler HAVING NOT bool_or(paused OR coalesce(open_until > now(), false))
    ) h
    LEFT JOIN json_to_recordset(%s::json) AS watermark (handler text, fresh float8, retry float8)
        ON watermark.handler = h.handler
    LEFT JOIN LATERAL (
        SELECT d.id, d.due_at FROM bus_delivery d
        WHERE d.handler = h.handler AND d.attempts = 0 AND d.dead_at IS NULL AND d.due_at <= now()
            AND d.due_at >= to_timestamp(coalesce(watermark.fresh, 0))
        ORDER BY d.due_at, d.id LIMIT 1
    ) fresh ON true
    LEFT JOIN LATERAL (
        SELECT d.id, d.due_at FROM bus_delivery d
        WHERE d.handler = h.handler AND d.attempts > 0 AND d.dead_at IS NULL AND d.due_at <= now()
            AND d.due_at >= to_timestamp(coalesce(watermark.retry, 0))
        ORDER BY d.due_at, d.id LIMIT 1
    ) retry ON true
"""

# One round trip that commits by itself. synchronous_commit is set for this transaction alone, by a part that the update
# refers to, because parts that nothing refers to do not run. MATERIALIZED: otherwise the planner may run the locking
# SELECT more than once and take more than the limit. SKIP LOCKED: workers never wait for one another here. The update
# finds its rows by their place, which cannot change while they are locked: the planner, which mostly takes the table
# for empty, has no other way to choose (docs/adr/0014).
_CLAIM_FRESH = """
    WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', %s, true)),
    due AS MATERIALIZED (
        SELECT ctid, due_at FROM bus_delivery
        WHERE handler = %s AND attempts = 0 AND dead_at IS NULL AND due_at <= now() AND due_at >= to_timestamp(%s)
            AND NOT EXISTS (
                SELECT 1 FROM bus_subscription
                WHERE handler = %s AND (paused OR (open_until IS NOT NULL AND NOT %s))
            )
        ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
    ),
    claimed AS (
        UPDATE bus_delivery d SET attempts = 1, due_at = now() + %s * interval '1 second', waits_for = ''
        FROM setting WHERE d.ctid = ANY (ARRAY(SELECT ctid FROM due))
        RETURNING d.id, d.attempts, d.event_id, d.ctid
    )
    SELECT d.id, d.attempts, e.id, e.type, e.version, e.sequence, extract(epoch FROM e.time)::float8, e.data::text,
        e.correlation_id, e.traceparent,
        (SELECT coalesce(bool_or(failures > 0), false) FROM bus_subscription WHERE handler = %s), d.ctid,
        (SELECT extract(epoch FROM min(due_at))::float8 FROM due)
    FROM claimed d JOIN bus_event e ON e.id = d.event_id
"""
_FIRST_RETRY = """
    SELECT (
        SELECT extract(epoch FROM due_at)::float8 FROM bus_delivery
        WHERE handler = %s AND attempts > 0 AND dead_at IS NULL AND due_at <= statement_timestamp()
            AND due_at >= to_timestamp(%s)
        ORDER BY due_at, id LIMIT 1
    ), extract(epoch FROM statement_timestamp())::float8
"""
_READ_CLAIMS = """
    SELECT d.id, d.attempts, e.id, e.type, e.version, e.sequence, extract(epoch FROM e.time)::float8, e.data::text,
        e.correlation_id, e.traceparent,
        (SELECT coalesce(bool_or(failures > 0), false) FROM bus_subscription WHERE handler = %s), d.ctid
    FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id WHERE d.id IN (SELECT unnest(%s::bigint[]))
"""

# This waits for locks, and must: a claim that began before ours committed locks our rows for a moment before it sees
# that they are taken. Skipping those would leave a whole batch to its lease. Deliveries are always locked in the order
# of their ids, and by a handler's transaction before anything else, so no circle of waits can form. Each row is looked
# up separately (LATERAL), in the order given, at the place where the claim left it: any later change has moved it.
_ACK = """
    WITH mine AS MATERIALIZED (
        SELECT delivery.ctid FROM unnest(%s::bigint[], %s::tid[]) AS claimed (id, ctid), LATERAL (
            SELECT ctid FROM bus_delivery
            WHERE ctid = claimed.ctid AND id = claimed.id AND attempts = %s AND dead_at IS NULL FOR UPDATE
        ) AS delivery
    ),
    gone AS (
        DELETE FROM bus_delivery WHERE ctid = ANY (ARRAY(SELECT ctid FROM mine))
        RETURNING id, event_id, handler, attempts
    )
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, settled_at)
    SELECT id, event_id, handler, 'done', attempts, %s, now() FROM gone
    RETURNING delivery_id
"""


class PostgreSQL(Statements):
    """The bus on PostgreSQL."""

    lease_s = LEASE_S

    def insert_events(self, rows: str, *, delay_s: float) -> None:
        self.execute(_INSERT_EVENTS, rows, delay_s)

    def insert_deliveries(self, pairs: Sequence[tuple[UUID, str]]) -> int:
        return len(self.execute(_INSERT_DELIVERIES, [event for event, _ in pairs], [handler for _, handler in pairs]))

    def handler_heads(self, watermarks: Sequence[Mapping[str, Any]]) -> list[HandlerHead]:
        return [HandlerHead(*row) for row in self.execute(_HANDLER_HEADS, as_json(watermarks))]

    def commit_counter(self) -> int | None:
        return None

    def claim_fresh(
        self, *, handler: str, since: float, limit: int, lease_s: float, durable: bool, probe: bool
    ) -> tuple[list[Claim], float | None]:
        durability = "on" if durable else "off"
        rows = self.execute(_CLAIM_FRESH, durability, handler, since, handler, probe, limit, lease_s, handler)
        return _claims([row[:-1] for row in rows]), rows[0][-1] if rows else None

    def first_retry(self, *, handler: str, since: float) -> tuple[float | None, float | None]:
        ((due, now),) = self.execute(_FIRST_RETRY, handler, since)
        return due, now

    def read_claims(self, *, handler: str, delivery_ids: Sequence[int]) -> list[Claim]:
        return _claims(self.execute(_READ_CLAIMS, handler, list(delivery_ids)))

    def ack(self, claims: Sequence[Claim], *, worker: str) -> set[int]:
        ids, places = [claim.delivery_id for claim in claims], [claim.place for claim in claims]
        return {row[0] for row in self.execute(_ACK, ids, places, claims[0].attempts, worker)}

    def limit_session(self) -> dict[str, str]:
        return self._configure(SESSION_LIMITS)

    def unlimit_session(self, before: Mapping[str, str]) -> None:
        self._configure(before)

    def _configure(self, values: Mapping[str, str]) -> dict[str, str]:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in values)}")
            before = dict(zip(values, cursor.fetchone(), strict=True))
            for name, value in values.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
        return before

    def now(self) -> datetime:
        now: datetime = self.execute("SELECT statement_timestamp()")[0][0]
        return now

    def estimated_rows(self, model: type[models.Model]) -> int:
        table = model._meta.db_table
        # As the last ANALYZE counted them; -1 before the first.
        return int(
            self.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s::text)", table)[0][0]
        )

    def fast_cursor(self, connection: BaseDatabaseWrapper, statement: str) -> tuple[CursorWrapper, str]:
        # Django's own cursors put parameters into the text, which then cannot be prepared. This one sends them apart,
        # and psycopg prepares a text after as many uses as the connection's `prepare_threshold` says.
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            cursor = connection.Database.Cursor(connection.connection)  # type: ignore[attr-defined]  # stubs lack it
        return connection.make_cursor(cursor), statement

    def recordset(self, columns: Columns, *, name: str) -> str:
        return _recordset(columns, name)

    def combine(self, statements: tuple[str, ...], row_sets: tuple[tuple[str, Columns], ...]) -> tuple[str, ...]:
        return _combine(statements, row_sets)

    def is_among(self, column: str, type_: str) -> str:
        # Not `= ANY(%s)`: a plan made for any list may compare each row of the table with each value.
        return f"{column} IN (SELECT unnest(%s::{type_}[]))"

    def as_list(self, values: Sequence[Any]) -> Any:
        return list(values)

    def sql_now(self) -> str:
        return "statement_timestamp()"

    def place_column(self, table: str) -> str:
        return f"{table}.ctid"

    @property
    def place_type(self) -> str:
        return "tid"

    def is_at(self, table: str, places: str) -> str:
        # Looking a row up by its id passes all its versions that an old snapshot keeps; the lock has passed them.
        return f"{table}.ctid = ANY (ARRAY({places}))"


@cache
def _recordset(columns: Columns, name: str) -> str:
    typed = ", ".join(f"{column} {type_}" for column, type_ in columns)
    # Not jsonb_to_recordset, which takes half as long again.
    return f"json_to_recordset(%s::json) AS {name} ({typed})"


@cache
def _combine(statements: tuple[str, ...], row_sets: tuple[tuple[str, Columns], ...]) -> tuple[str, ...]:
    # One round trip. Each row set's JSON is read once, however many parts select from it.
    parts = [f"{name} AS (SELECT * FROM {_recordset(columns, 'entry')})" for name, columns in row_sets]
    parts += [f"part{number} AS ({text})" for number, text in enumerate(statements[:-1])]
    return (f"WITH {', '.join(parts)} {statements[-1]}",)


def _claims(rows: Sequence[tuple[Any, ...]]) -> list[Claim]:
    # In the order of publication: RETURNING promises none.
    return [
        Claim(id_, attempts, to_uuid(event_id), type_, version, sequence, to_time(time), data, to_uuid(chain), *rest)
        for id_, attempts, event_id, type_, version, sequence, time, data, chain, *rest in sorted(rows)
    ]
