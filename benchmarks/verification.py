"""Compares the rows that a system left with those that its orders ask for, which are the same for every system."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.orders import PRICES, UNITS_PER_PRODUCT, OrderSpec, order_total
from benchmarks.servers import Server
from benchmarks.systems import System

#: Each is a query for one row, with the table names of systems.py.
FACTS = {
    "orders": "SELECT count(*) FROM {order}",
    "confirmed": "SELECT count(*) FROM {order} WHERE status = 'confirmed'",
    "totals": "SELECT sum(total) FROM {order}",
    "lines": "SELECT count(*) FROM {line}",
    "units": "SELECT sum(quantity) FROM {line}",
    "history": "SELECT count(*) FROM {change}",
    "confirmations": "SELECT count(*) FROM {change} WHERE from_status = 'placed' AND to_status = 'confirmed'",
    "reservations": "SELECT count(*) FROM {reservation}",
    "units reserved": "SELECT sum(quantity) FROM {reservation}",
    "movements": "SELECT count(*) FROM {movement} WHERE kind = 'reserved'",
    "units moved": "SELECT sum(reserved_delta) FROM {movement}",
    "stock rows that differ from their ledger": """
        SELECT count(*) FROM {stock} s JOIN (
            SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
            FROM {movement} GROUP BY stock_id
        ) m ON m.stock_id = s.id WHERE s.on_hand <> m.on_hand OR s.reserved <> m.reserved
    """,
}
#: True as soon as an order is placed.
FACTS_WHEN_PLACED = ("orders", "totals", "lines", "units")
STOCK = "SELECT p.sku, s.on_hand, s.reserved FROM {stock} s JOIN {product} p ON p.id = s.product_id"
#: Also of ours and of the limit.
BUS_FACTS = {
    "events": "SELECT count(*) FROM bus_event WHERE type <> 'inventory.product_changed'",
    "receipts": """
        SELECT count(*) FROM bus_receipt WHERE handler IN ('inventory.reserve_stock', 'orders.confirm_orders')
    """,
    "still owed": "SELECT count(*) FROM bus_delivery WHERE handler NOT LIKE 'users.email%'",
    "mails owed or sent": """
        SELECT (SELECT count(*) FROM bus_delivery WHERE handler LIKE 'users.email%')
            + (SELECT count(*) FROM bus_receipt WHERE handler LIKE 'users.email%')
    """,
    "allocations": "SELECT count(*) FROM inventory_allocation WHERE state = 'reserved'",
}


class WrongRows(Exception):
    """A system did not do the same work as the others, so its speed says nothing."""


def expected_rows(orders: Iterable[OrderSpec]) -> dict[str, Any]:
    """The facts about any system that has confirmed these orders."""
    facts: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    totals = Decimal(0)
    for order in orders:
        facts["orders"] += 1
        totals += order_total(order)
        for sku, quantity in order.lines:
            facts["lines"] += 1
            facts["units"] += quantity
            reserved[sku] += quantity
    count, lines, units = facts["orders"], facts["lines"], facts["units"]
    return {
        "orders": count,
        "confirmed": count,
        "totals": totals,
        "lines": lines,
        "units": units,
        "history": 2 * count,
        "confirmations": count,
        "reservations": lines,
        "units reserved": units,
        "movements": lines,
        "units moved": units,
        "stock rows that differ from their ledger": 0,
        "stock": {sku: (UNITS_PER_PRODUCT, reserved[sku]) for sku in PRICES},
        "events": 3 * count,
        "receipts": 2 * count,
        "still owed": 0,
        "mails owed or sent": count,
        "allocations": count,
    }


def actual_rows(system: System, server: Server, database: str) -> dict[str, Any]:
    """The facts about the tables of a system."""
    has_bus = system.template_of == "ours"
    queries = {**FACTS, **(BUS_FACTS if has_bus else {})}

    def rows(query: str) -> list[tuple[Any, ...]]:
        return server.rows(database, query.format_map(system.tables))

    facts: dict[str, Any] = {name: rows(query)[0][0] for name, query in queries.items()}
    facts["totals"] = Decimal(str(facts["totals"])).quantize(Decimal("0.01"))
    facts["stock"] = {sku: (on_hand, reserved) for sku, on_hand, reserved in rows(STOCK)}
    return facts


def verify(name: str, facts: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Compare facts.

    Raises:
        WrongRows: naming each fact that differs.
    """
    wrong = [
        f"{fact}: {value if fact != 'stock' else 'figures differ'}, not {wanted[fact] if fact != 'stock' else 'these'}"
        for fact, value in facts.items()
        if value != wanted[fact]
    ]
    if wrong:
        raise WrongRows(f"{name} did not leave the rows that its orders ask for: {'; '.join(wrong)}")
