"""The bus's statements on SQLite. It has one writer, so a statement that writes needs no row locks.

SQLite does not remember plans by text; what counts is to send few statements and not to have Django rewrite them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from .base import Claim, Columns, HandlerHead
from .statements import Statements, json_list, to_time, to_uuid

#: Seconds of the first lease: the handler's transaction may have to wait for another writer.
LEASE_S = 10.0

# Django stores microseconds and SQLite's clock has milliseconds: what is stored ends in 000, and a comparison with
# 999 includes everything that was stored within this millisecond.
_STORED_NOW = "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')"
_UNTIL_NOW = "strftime('%%Y-%%m-%%d %%H:%%M:%%f999', 'now')"

_INSERT_EVENTS = f"""
    INSERT INTO bus_event
        (id, type, version, subject, sequence, time, data, correlation_id, causation_id, traceparent)
    SELECT json_extract(value, '$.id'), json_extract(value, '$.type'), json_extract(value, '$.version'),
        json_extract(value, '$.subject'), json_extract(value, '$.sequence'), {_STORED_NOW},
        json_extract(value, '$.data'), json_extract(value, '$.correlation_id'),
        json_extract(value, '$.causation_id'), json_extract(value, '$.traceparent')
    FROM json_each(%s)
"""
_INSERT_OWED = """
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT json_extract(value, '$.id'), subscription.handler,
        strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', %s || ' seconds'), 0
    FROM json_each(%s) AS event
    JOIN bus_subscription subscription
        ON subscription.event_type = json_extract(value, '$.type') AND subscription.active
    ORDER BY event.key, subscription.id
"""
_INSERT_DELIVERIES = f"""
    INSERT INTO bus_delivery (event_id, handler, due_at, attempts)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), {_STORED_NOW}, 0 FROM json_each(%s)
    WHERE true
    ON CONFLICT (event_id, handler) DO NOTHING
    RETURNING id
"""
_HANDLER_HEADS = f"""
    SELECT h.handler, h.queue,
        (SELECT d.id FROM bus_delivery d
         WHERE d.handler = h.handler AND d.attempts = 0 AND d.dead_at IS NULL AND d.due_at <= {_UNTIL_NOW}
         ORDER BY d.due_at, d.id LIMIT 1),
        (SELECT d.id FROM bus_delivery d
         WHERE d.handler = h.handler AND d.attempts > 0 AND d.dead_at IS NULL AND d.due_at <= {_UNTIL_NOW}
         ORDER BY d.due_at, d.id LIMIT 1)
    FROM (
        SELECT handler, MAX(queue) AS queue FROM bus_subscription
        GROUP BY handler HAVING MAX(CASE WHEN paused OR open_until > {_UNTIL_NOW} THEN 1 ELSE 0 END) = 0
    ) h
"""
_CLAIM_FRESH = f"""
    UPDATE bus_delivery SET attempts = 1, due_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', %s), waits_for = ''
    WHERE id IN (
        SELECT id FROM bus_delivery
        WHERE handler = %s AND attempts = 0 AND dead_at IS NULL AND due_at <= {_UNTIL_NOW}
            AND NOT EXISTS (
                SELECT 1 FROM bus_subscription
                WHERE handler = %s AND (paused OR (open_until IS NOT NULL AND NOT %s))
            )
        ORDER BY due_at, id LIMIT %s
    )
    RETURNING id
"""
_FIRST_RETRY = f"""
    SELECT id FROM bus_delivery
    WHERE handler = %s AND attempts > 0 AND dead_at IS NULL AND due_at <= {_UNTIL_NOW}
    ORDER BY due_at, id LIMIT 1
"""
_READ_CLAIMS = """
    SELECT d.id, d.attempts, e.id, e.type, e.version, e.sequence, e.time, e.data, e.correlation_id, e.traceparent,
        (SELECT coalesce(max(failures > 0), 0) FROM bus_subscription WHERE handler = %s)
    FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id
    WHERE d.id IN (SELECT value FROM json_each(%s))
"""
# Two statements, between which nothing can change.
_WRITE_RECEIPTS = f"""
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, settled_at)
    SELECT id, event_id, handler, 'done', attempts, %s, {_STORED_NOW}
    FROM bus_delivery WHERE id IN (SELECT value FROM json_each(%s)) AND attempts = %s AND dead_at IS NULL
    RETURNING delivery_id
"""
_DELETE_ACKED = """
    DELETE FROM bus_delivery WHERE id IN (SELECT value FROM json_each(%s)) AND attempts = %s AND dead_at IS NULL
"""


class SQLite(Statements):
    """The bus on SQLite, for one machine."""

    lease_s = LEASE_S

    def insert_events(self, rows: str, *, delay_s: float) -> None:
        self.execute(_INSERT_EVENTS, rows)
        self.execute(_INSERT_OWED, delay_s, rows)

    def insert_deliveries(self, pairs: Sequence[tuple[UUID, str]]) -> int:
        return len(self.execute(_INSERT_DELIVERIES, json_list([[event, handler] for event, handler in pairs])))

    def handler_heads(self, watermarks: Sequence[Mapping[str, Any]]) -> list[HandlerHead]:
        # Dead index entries do not slow a scan down here, so watermarks are not needed.
        return [
            HandlerHead(handler, queue, fresh_id, retry_id, fresh_due=None, retry_due=None, now=0.0)
            for handler, queue, fresh_id, retry_id in self.execute(_HANDLER_HEADS)
        ]

    def commit_counter(self) -> int | None:
        return int(self.execute("PRAGMA data_version")[0][0])  # 9 microseconds

    def claim_fresh(
        self, *, handler: str, since: float, limit: int, lease_s: float, durable: bool, probe: bool
    ) -> tuple[list[Claim], float | None]:
        rows = self.execute(_CLAIM_FRESH, f"{lease_s} seconds", handler, handler, probe, limit)
        return self.read_claims(handler=handler, delivery_ids=[row[0] for row in rows]) if rows else [], None

    def first_retry(self, *, handler: str, since: float) -> tuple[float | None, float | None]:
        return (0.0 if self.execute(_FIRST_RETRY, handler) else None), None

    def read_claims(self, *, handler: str, delivery_ids: Sequence[int]) -> list[Claim]:
        # In the order of publication: RETURNING promises none.
        return [
            Claim(
                id_, attempts, to_uuid(event_id), type_, version, sequence, to_time(time), data, to_uuid(chain), *rest
            )
            for id_, attempts, event_id, type_, version, sequence, time, data, chain, *rest in sorted(
                self.execute(_READ_CLAIMS, handler, json_list(delivery_ids))
            )
        ]

    def ack(self, claims: Sequence[Claim], *, worker: str) -> set[int]:
        ids, attempts = json_list([claim.delivery_id for claim in claims]), claims[0].attempts
        mine = {row[0] for row in self.execute(_WRITE_RECEIPTS, worker, ids, attempts)}
        self.execute(_DELETE_ACKED, ids, attempts)
        return mine

    def limit_session(self) -> dict[str, str]:
        return {}

    def unlimit_session(self, before: Mapping[str, str]) -> None:
        """No limits are set on SQLite."""

    def now(self) -> datetime:
        return datetime.fromisoformat(self.execute("SELECT strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')")[0][0]).replace(
            tzinfo=UTC
        )

    def estimated_rows(self, model: type[models.Model]) -> int:
        return -1

    def fast_cursor(self, connection: BaseDatabaseWrapper, statement: str) -> tuple[CursorWrapper, str]:
        # Django's own cursor rewrites the text at each use.
        connection.ensure_connection()
        with connection.wrap_database_errors:
            cursor = connection.connection.cursor()
        return connection.make_cursor(cursor), _with_question_marks(statement)

    def recordset(self, columns: Columns, *, name: str) -> str:
        return _recordset(columns, name)

    def combine(self, statements: tuple[str, ...], row_sets: tuple[tuple[str, Columns], ...]) -> tuple[str, ...]:
        return _combine(statements, row_sets)

    def is_among(self, column: str, type_: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(%s))"

    def as_list(self, values: Sequence[Any]) -> Any:
        return json_list(values)

    def sql_now(self) -> str:
        return _STORED_NOW

    def place_column(self, table: str) -> str:
        return f"{table}.rowid"

    @property
    def place_type(self) -> str:
        return "integer"

    def is_at(self, table: str, places: str) -> str:
        return f"{table}.rowid IN ({places})"


@cache
def _recordset(columns: Columns, name: str) -> str:
    extracted = ", ".join(f"json_extract(value, '$.{column}') AS {column}" for column, _ in columns)
    return f"(SELECT {extracted} FROM json_each(%s)) AS {name}"


@cache
def _combine(statements: tuple[str, ...], row_sets: tuple[tuple[str, Columns], ...]) -> tuple[str, ...]:
    # No data-modifying parts in WITH here: each statement has the row sets before it.
    parts = ", ".join(f"{name} AS (SELECT * FROM {_recordset(columns, 'entry')})" for name, columns in row_sets)
    return tuple(f"WITH {parts} {text}" for text in statements)


@cache
def _with_question_marks(statement: str) -> str:
    return re.sub(r"(?<!%)%s", "?", statement).replace("%%", "%")
