"""How a worker takes deliveries for itself. project/bus/endings.py has what becomes of them.

A claim's `attempts` is its fence: whoever claims a delivery counts it up, so a worker that was away too long finds that
the number has moved on, and changes nothing.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Q
from django.db.models.functions import Now

from .breaker import count_failure
from .failures import signature_of, write_failure
from .marks import Mark, behind
from .models import Delivery, Subscription
from .registry import Handler
from .sql import listed, run, time_of, uuid_of

#: Seconds until somebody else may claim a delivery whose worker fell silent before it began. It covers the time from
#: the claim to the handler's transaction, which then holds the rows itself. SQLite's one writer may keep that waiting.
LEASE = {"postgresql": 2.0, "sqlite": 10.0}
#: Leases and backoffs double with the attempts, up to this many seconds.
LONGEST_WAIT = 600.0
#: An external handler has no transaction to hold its delivery, so its lease is its time limit and these seconds.
EXTERNAL_MARGIN = 10.0


#: Before anything can have been due.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

#: Where this process's claims begin, by handler.
_marks: dict[str, Mark] = {}
_tried_marks: dict[str, Mark] = {}


class Claim(NamedTuple):
    """A delivery that this worker has taken, with its event as stored."""

    delivery_id: int
    attempts: int
    event_id: UUID
    type: str
    version: int
    sequence: int | None
    time: datetime
    data: str
    correlation_id: UUID
    traceparent: str
    #: Whether failures of the handler are counted: a success then makes the circuit breaker forget them.
    failing: bool
    #: PostgreSQL: the place of its row, which stays where it is as long as it is ours.
    ctid: str | None = None


def claim_fresh(*, handler: Handler, limit: int, durable: bool, trial: bool = False) -> list[Claim]:
    """Take up to `limit` due deliveries that nobody has tried, oldest first; none while the handler pauses or rests.

    Args:
        durable: whether to wait until the claim is on disk. It need not be, for a lost claim is made again; but then a
            handler that brings the database down would not have its attempts counted.
        trial: this worker has the trial of a handler whose rest is over.
    """
    lease = lease_seconds(handler, attempts=1)
    name = handler.name
    if connection.vendor == "postgresql":
        mark, began = _marks.setdefault(name, Mark()), time.monotonic()
        since = mark.begin()
        rows = run(_CLAIM_POSTGRESQL, "on" if durable else "off", name, since, name, trial, limit, lease, name)
        first = rows[0][-1] if rows else None
        mark.end(since=since, clear_until=first, seconds=time.monotonic() - began)
        return _claims([row[:-1] for row in rows])
    rows = run(_CLAIM_SQLITE, f"{lease} seconds", name, name, trial, limit)
    return _read_claims([row[0] for row in rows], handler=name) if rows else []


def claim_tried(*, handler: Handler, trial: bool = False) -> Claim | Delivery | None:
    """Take the due delivery that was tried before and has waited longest; none while the handler pauses or rests.

    Args:
        trial: this worker has the trial of a handler whose rest is over.

    Returns:
        The claim; the delivery itself, now a dead letter, when its attempts were used up because its worker vanished
        each time; None when nothing is due.
    """
    since = _first_tried(handler.name)
    if since is None:
        return None
    stopped = Q(paused=True) if trial else Q(paused=True) | Q(rests_until__isnull=False)
    with transaction.atomic():
        due = (
            Delivery.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
            .filter(~Exists(Subscription.objects.filter(stopped, handler=handler.name)))
            .filter(handler=handler.name, attempts__gt=0, dead_at=None, due_at__lte=Now(), due_at__gte=since)
            .order_by("due_at", "id")
            .first()
        )
        if due is None:
            return None
        row = Delivery.objects.filter(pk=due.pk)
        if due.attempts >= handler.attempts:
            signature = signature_of(handler=handler.name, error="WorkerVanished")
            row.update(dead_at=Now(), signature=signature, waits_for="")
            write_failure(
                delivery_id=due.pk,
                event_id=due.event_id,
                handler=handler.name,
                attempt=due.attempts,
                error="WorkerVanished",
                signature=signature,
                traceback=(
                    f"Claimed {due.attempts} times, and neither finished nor failed: each time its worker was killed, "
                    "stopped or cut off. The handler may kill its process on this event, or run past its time limit."
                ),
            )
            # Counted once, not each time: most workers that vanish do so for reasons of their own.
            count_failure(handler=handler.name, trial=trial)
            return due
        attempts = due.attempts + 1
        lease = timedelta(seconds=lease_seconds(handler, attempts=attempts))
        row.update(attempts=attempts, due_at=Now() + lease, waits_for="")
        return _read_claims([due.pk], handler=handler.name)[0]


def _first_tried(handler: str) -> datetime | None:
    """From when on to look for the tried delivery that is due first; None where none is due.

    Most often none is, which takes neither a transaction nor a lock to find out.
    """
    if connection.vendor != "postgresql":
        return BEGINNING if run(_PROBE_SQLITE, handler) else None
    mark, began = _tried_marks.setdefault(handler, Mark()), time.monotonic()
    since = mark.begin()
    ((due_at, now),) = run(_PROBE_POSTGRESQL, handler, since)
    mark.end(since=since, clear_until=now if due_at is None else due_at, seconds=time.monotonic() - began)
    return None if due_at is None else datetime.fromtimestamp(behind(due_at), UTC)


def forget_marks() -> None:
    """Let the next claims look at everything that is due."""
    _marks.clear()
    _tried_marks.clear()


def lease_seconds(handler: Handler, *, attempts: int) -> float:
    """How long a claim lasts. It grows, so that kills in a row do not use up an innocent delivery's attempts."""
    grown = min(LEASE[connection.vendor] * 2.0 ** (attempts - 1), LONGEST_WAIT)
    return max(grown, handler.time_limit + EXTERNAL_MARGIN) if handler.external else grown


def _read_claims(ids: Sequence[int], *, handler: str) -> list[Claim]:
    return _claims(run(_READ[connection.vendor], handler, listed(ids)))


def _claims(rows: Sequence[tuple[Any, ...]]) -> list[Claim]:
    # In the order of publishing: RETURNING promises none.
    return [
        Claim(id_, attempts, uuid_of(event_id), type_, version, sequence, time_of(time), data, uuid_of(chain), *rest)
        for id_, attempts, event_id, type_, version, sequence, time, data, chain, *rest in sorted(rows)
    ]


# One round trip, committed by itself. synchronous_commit is set for this transaction alone, by a part of the statement
# that the update refers to, as parts that nothing refers to are not run. MATERIALIZED: else the planner may run the
# locking SELECT more than once and take more than the limit. SKIP LOCKED: workers never wait for one another here.
# The update finds its rows by their place, which cannot change as they are locked: the planner, which mostly takes the
# table for empty, has no other way to choose (docs/adr/0014).
_CLAIM_POSTGRESQL = """
    WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', %s, true)),
    due AS MATERIALIZED (
        SELECT ctid, due_at FROM bus_delivery
        WHERE handler = %s AND attempts = 0 AND dead_at IS NULL AND due_at <= now() AND due_at >= to_timestamp(%s)
            AND NOT EXISTS (
                SELECT 1 FROM bus_subscription
                WHERE handler = %s AND (paused OR (rests_until IS NOT NULL AND NOT %s))
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
# SQLite has one writer, so nobody else claims meanwhile.
_CLAIM_SQLITE = """
    UPDATE bus_delivery SET attempts = 1, due_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', %s), waits_for = ''
    WHERE id IN (
        SELECT id FROM bus_delivery
        WHERE handler = %s AND attempts = 0 AND dead_at IS NULL
            AND due_at <= strftime('%%Y-%%m-%%d %%H:%%M:%%f999', 'now')
            AND NOT EXISTS (
                SELECT 1 FROM bus_subscription
                WHERE handler = %s AND (paused OR (rests_until IS NOT NULL AND NOT %s))
            )
        ORDER BY due_at, id LIMIT %s
    )
    RETURNING id
"""
# A claim's columns, of deliveries that are claimed already.
_READ = {
    "postgresql": """
        SELECT d.id, d.attempts, e.id, e.type, e.version, e.sequence, extract(epoch FROM e.time)::float8, e.data::text,
            e.correlation_id, e.traceparent,
            (SELECT coalesce(bool_or(failures > 0), false) FROM bus_subscription WHERE handler = %s), d.ctid
        FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id WHERE d.id IN (SELECT unnest(%s::bigint[]))
    """,
    "sqlite": """
        SELECT d.id, d.attempts, e.id, e.type, e.version, e.sequence, e.time, e.data, e.correlation_id, e.traceparent,
            (SELECT coalesce(max(failures > 0), 0) FROM bus_subscription WHERE handler = %s)
        FROM bus_delivery d JOIN bus_event e ON e.id = d.event_id
        WHERE d.id IN (SELECT value FROM json_each(%s))
    """,
}
_PROBE_POSTGRESQL = """
    SELECT (
        SELECT extract(epoch FROM due_at)::float8 FROM bus_delivery
        WHERE handler = %s AND attempts > 0 AND dead_at IS NULL AND due_at <= statement_timestamp()
            AND due_at >= to_timestamp(%s)
        ORDER BY due_at, id LIMIT 1
    ), extract(epoch FROM statement_timestamp())::float8
"""
_PROBE_SQLITE = """
    SELECT id FROM bus_delivery
    WHERE handler = %s AND attempts > 0 AND dead_at IS NULL AND due_at <= strftime('%%Y-%%m-%%d %%H:%%M:%%f999', 'now')
    ORDER BY due_at, id LIMIT 1
"""
