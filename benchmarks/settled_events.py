"""Loads events that were settled long ago, by the million."""

from collections.abc import Callable

from benchmarks.servers import Server

EVENTS_PER_STATEMENT = 500_000
# Three events with a receipt for each order; their ids grow with time as UUIDv7 do, and are older than all others.
SETTLED = """
    WITH step AS (
        SELECT n, (lpad(to_hex(1500000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS id,
            (lpad(to_hex(1500000000000 + n / 3 * 3), 12, '0') || '70008000' || lpad(to_hex(n / 3 * 3), 12, '0'))::uuid
                AS first,
            md5((n / 3)::text)::uuid AS subject
        FROM generate_series({start}::bigint, {end}::bigint) AS n
    ), event AS (
        INSERT INTO bus_event (id, type, version, subject, sequence, time, data, correlation_id, causation_id)
        SELECT id, (ARRAY['orders.order_placed', 'inventory.stock_reserved', 'orders.order_confirmed'])[1 + n % 3], 1,
            subject::text, 1 + n % 3, now() - interval '30 days', jsonb_build_object('order_id', subject), first, first
        FROM step
    )
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, settled_at)
    SELECT -1 - n, id,
        (ARRAY['inventory.reserve_stock', 'orders.confirm_orders', 'users.email_confirmation'])[1 + n % 3],
        'done', 1, 'benchmark', now() - interval '30 days'
    FROM step
"""


def load_settled_events(server: Server, database: str, *, events: int, say: Callable[[str], None]) -> None:
    """Load this many settled events, then ANALYZE."""
    for start in range(0, events, EVENTS_PER_STATEMENT):
        end = min(start + EVENTS_PER_STATEMENT, events)
        server.rows(database, SETTLED.format(start=start, end=end - 1))
        say(f"{end:,} events")
    server.analyze(database)
