"""The limit: the rows that ours leaves, written by plain psycopg, without Celery, Django or handlers.

`place_many` writes a set of orders in one transaction; two processes do so with sets of their own. `place_one` takes
one order through its three steps, each a transaction. It is a yardstick and not the shortest possible time: larger
sets would be faster, and so would steps that do not wait for the COMMIT of the step before.
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from uuid_utils.compat import uuid7

from benchmarks.orders import PRICES, OrderSpec, order_total

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]

COLUMNS = {
    "orders_order": "id uuid, customer_id uuid, status text, version int, currency text, total numeric, reason text, "
    "is_welcome boolean",
    "orders_orderline": "order_id uuid, sku text, name text, quantity int, unit_price numeric",
    "orders_orderchange": "order_id uuid, sequence int, from_status text, to_status text, event_id uuid, reason text",
    "inventory_allocation": "order_id uuid, state text, event_id uuid",
    "inventory_reservation": "allocation_id uuid, stock_id bigint, quantity bigint",
    "inventory_movement": "stock_id bigint, kind text, on_hand_delta bigint, reserved_delta bigint, "
    "on_hand_after bigint, reserved_after bigint, order_id uuid, event_id uuid",
    "bus_event": "id uuid, type text, version int, subject text, sequence bigint, data jsonb, correlation_id uuid, "
    "causation_id uuid",
    "bus_receipt": "delivery_id bigint, event_id uuid, handler text, outcome text, attempts int, worker text",
    "bus_delivery": "event_id uuid, handler text, due_at timestamptz, attempts int",
}
LOCK_STOCK = "SELECT id, on_hand, reserved FROM inventory_stock WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
STOCK_IDS = "SELECT p.sku, s.id FROM inventory_stock s JOIN inventory_product p ON p.id = s.product_id"
MOVE_STOCK = """
    UPDATE inventory_stock s SET reserved = e.reserved
    FROM unnest(%s::bigint[], %s::bigint[]) AS e (id, reserved) WHERE s.id = e.id
"""
CONFIRM = "UPDATE orders_order SET status = 'confirmed', version = 2, changed_at = now() WHERE id = ANY(%s)"
DELIVERY_IDS = "SELECT nextval('bus_delivery_id_seq') FROM generate_series(1, %s)"


@cache
def connection() -> Connection:
    """The connection of this process, with the settings of our workers."""
    made = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    made.execute("SET random_page_cost = 1.1")
    return made


@cache
def stock_ids() -> dict[str, int]:
    """The id of the stock row of each SKU."""
    return dict(connection().execute(STOCK_IDS).fetchall())


def place_one(spec: OrderSpec) -> UUID:
    """Take one order through its steps, each a transaction; its id."""
    chain = [Chain(spec)]
    for step in (place, reserve, confirm):
        with connection().transaction():
            step(chain)
    return chain[0].order_id


def place_many(wanted: Sequence[OrderSpec]) -> None:
    """Take a set of orders through all steps in one transaction; the step that locks stock comes last."""
    chains = [Chain(spec) for spec in wanted]
    with connection().transaction():
        place(chains)
        confirm(chains)
        reserve(chains)


class Chain:
    """An order and its three events."""

    def __init__(self, spec: OrderSpec) -> None:
        self.spec = spec
        self.order_id, self.placed, self.reserved, self.confirmed = (uuid7() for _ in range(4))

    def event(self, type_: str, id_: UUID, *, cause: UUID | None, sequence: int | None, **data: Any) -> Row:
        """The row of an event."""
        return {
            "id": id_,
            "type": type_,
            "version": 1,
            "subject": str(self.order_id),
            "sequence": sequence,
            "data": {"order_id": self.order_id, **data},
            "correlation_id": self.placed,
            "causation_id": cause,
        }

    def change(self, sequence: int, from_: str, to: str, event_id: UUID | None) -> Row:
        """The row of a change of status."""
        return {
            "order_id": self.order_id,
            "sequence": sequence,
            "from_status": from_,
            "to_status": to,
            "event_id": event_id,
            "reason": "",
        }


def place(chains: Sequence[Chain]) -> None:
    """Insert orders, lines, history and events."""
    orders, lines, events = [], [], []
    for chain in chains:
        spec = chain.spec
        orders.append(
            {
                "id": chain.order_id,
                "customer_id": spec.customer_id,
                "status": "placed",
                "version": 1,
                "currency": "EUR",
                "total": order_total(spec),
                "reason": "",
                "is_welcome": False,
            }
        )
        lines += [
            {
                "order_id": chain.order_id,
                "sku": sku,
                "name": f"Product {sku}",
                "quantity": quantity,
                "unit_price": PRICES[sku],
            }
            for sku, quantity in spec.lines
        ]
        data = {
            "customer_id": spec.customer_id,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in spec.lines],
        }
        events.append(chain.event("orders.order_placed", chain.placed, cause=None, sequence=1, **data))
    insert("orders_order", orders)
    insert("orders_orderline", lines)
    insert("orders_orderchange", [chain.change(1, "", "placed", None) for chain in chains])
    insert("bus_event", events)


def reserve(chains: Sequence[Chain]) -> None:
    """Insert allocations, reservations, movements, events and receipts; update stock."""
    insert(
        "inventory_allocation",
        [{"order_id": chain.order_id, "state": "reserved", "event_id": chain.placed} for chain in chains],
    )
    insert(
        "bus_event",
        [
            chain.event("inventory.stock_reserved", chain.reserved, cause=chain.placed, sequence=None)
            for chain in chains
        ],
    )
    receipts("inventory.reserve_stock", [chain.placed for chain in chains])
    lines = [(chain, stock_ids()[sku], quantity) for chain in chains for sku, quantity in chain.spec.lines]
    insert(
        "inventory_reservation",
        [
            {"allocation_id": chain.order_id, "stock_id": stock_id, "quantity": quantity}
            for chain, stock_id, quantity in lines
        ],
    )
    # Stock last: its rows stay locked until the end of the transaction, and the other process needs them too.
    wanted = list({stock_id for _, stock_id, _ in lines})
    stocks = {stock_id: list(figures) for stock_id, *figures in connection().execute(LOCK_STOCK, [wanted])}
    movements = []
    for chain, stock_id, quantity in lines:
        stocks[stock_id][1] += quantity
        on_hand, reserved = stocks[stock_id]
        movements.append(
            {
                "stock_id": stock_id,
                "kind": "reserved",
                "on_hand_delta": 0,
                "reserved_delta": quantity,
                "on_hand_after": on_hand,
                "reserved_after": reserved,
                "order_id": chain.order_id,
                "event_id": chain.placed,
            }
        )
    connection().execute(MOVE_STOCK, [list(stocks), [reserved for _, reserved in stocks.values()]])
    insert("inventory_movement", movements)


def confirm(chains: Sequence[Chain]) -> None:
    """Update the status; insert history, events, receipts, and the deliveries of e-mails."""
    connection().execute(CONFIRM, [[chain.order_id for chain in chains]])
    insert("orders_orderchange", [chain.change(2, "placed", "confirmed", chain.reserved) for chain in chains])
    insert(
        "bus_event",
        [
            chain.event(
                "orders.order_confirmed",
                chain.confirmed,
                cause=chain.reserved,
                sequence=2,
                customer_id=chain.spec.customer_id,
            )
            for chain in chains
        ],
    )
    receipts("orders.confirm_orders", [chain.reserved for chain in chains])
    owed = [
        {"event_id": chain.confirmed, "handler": "users.email_confirmation", "due_at": "now", "attempts": 0}
        for chain in chains
    ]
    insert("bus_delivery", owed)


def receipts(handler: str, events: Sequence[UUID]) -> None:
    """Insert a receipt for each event, with ids from the sequence of deliveries."""
    ids = connection().execute(DELIVERY_IDS, [len(events)])
    rows = [
        {
            "delivery_id": id_,
            "event_id": event_id,
            "handler": handler,
            "outcome": "done",
            "attempts": 1,
            "worker": "limit",
        }
        for (id_,), event_id in zip(ids, events, strict=True)
    ]
    insert("bus_receipt", rows)


def insert(table: str, rows: Sequence[Row]) -> None:
    """Insert rows, all in one statement."""
    connection().execute(_insert(table), [msgspec.json.encode(rows).decode()])


@cache
def _insert(table: str) -> str:
    columns = COLUMNS[table]
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    also = {"bus_event": ", time", "bus_receipt": ", settled_at"}.get(table, "")
    return (
        f"INSERT INTO {table} ({names}{also}) SELECT {names}{', now()' if also else ''} "  # noqa: S608 - constants
        f"FROM json_to_recordset(%s::json) AS e ({columns})"
    )
