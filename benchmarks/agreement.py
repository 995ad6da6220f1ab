"""Whether the rows that a system left are those that its orders ask for, and so the same as every other system's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.servers import Server
from benchmarks.specs import PRICES, UNITS, Spec, total
from benchmarks.systems import System

#: Each a query for one row, of tables named as in systems.py.
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
#: Those that are so as soon as an order is placed.
PLACED_ONLY = ("orders", "totals", "lines", "units")
STOCK = "SELECT p.sku, s.on_hand, s.reserved FROM {stock} s JOIN {product} p ON p.id = s.product_id"
#: Of ours and of the limit besides.
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


class Disagreement(Exception):
    """A system did not do what the others do, so its speed says nothing."""


def expected(orders: Iterable[Spec]) -> dict[str, Any]:
    """What any system has in its tables once it has confirmed these orders."""
    facts: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    totals = Decimal(0)
    for order in orders:
        facts["orders"] += 1
        totals += total(order)
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
        "stock": {sku: (UNITS, reserved[sku]) for sku in PRICES},
        "events": 3 * count,
        "receipts": 2 * count,
        "still owed": 0,
        "mails owed or sent": count,
        "allocations": count,
    }


def found(system: System, server: Server, database: str) -> dict[str, Any]:
    """What is in a system's tables."""
    has_bus = system.history == "ours"
    queries = {**FACTS, **(BUS_FACTS if has_bus else {})}

    def rows(query: str) -> list[tuple[Any, ...]]:
        return server.rows(database, query.format_map(system.tables))

    facts: dict[str, Any] = {name: rows(query)[0][0] for name, query in queries.items()}
    facts["totals"] = Decimal(str(facts["totals"])).quantize(Decimal("0.01"))
    facts["stock"] = {sku: (on_hand, reserved) for sku, on_hand, reserved in rows(STOCK)}
    return facts


def check(name: str, facts: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Compare.

    Raises:
        Disagreement: naming each fact that is not as it should be.
    """
    wrong = [
        f"{fact}: {value if fact != 'stock' else 'figures differ'}, not {wanted[fact] if fact != 'stock' else 'these'}"
        for fact, value in facts.items()
        if value != wanted[fact]
    ]
    if wrong:
        raise Disagreement(f"{name} did not leave the rows that its orders ask for: {'; '.join(wrong)}")
