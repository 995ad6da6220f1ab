"""Reserving stock for orders and releasing it.

Each function takes a batch and uses a fixed number of statements for any number of orders and lines. Both begin by
inserting the orders' allocations. The transaction that inserts an allocation has the order to itself. An allocation
that is already there means that the order was handled before, or that a cancellation overtook it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from inventory.models import Allocation, Movement, Reservation
from inventory.operations.ledger import NewMovement, change, write_movements
from project.bus import publish
from project.events import OrderCancelled, OrderPlaced, StockRejected, StockReserved
from project.sql import Rows, as_list, execute, execute_together, for_update, is_among, now, place_column, to_uuid

Cause = TypeVar("Cause", OrderPlaced, OrderCancelled)

#: A rejection names this many SKUs and counts the rest.
MAX_SKUS_NAMED = 3


@dataclass(slots=True)
class LockedStock:
    """A locked stock row, in memory."""

    pk: int
    on_hand: int
    reserved: int
    #: Where the row is stored, for `write_movements`.
    place: Any


@transaction.atomic
def reserve_stock(*, orders: Sequence[OrderPlaced]) -> None:
    """Reserve all lines of each order or none, and publish StockReserved or StockRejected.

    Orders are served in the given sequence. Their lines are allocated from the active locations by priority, and split
    where one location has too few units. An order that already has an allocation is skipped: it was handled before, or
    is cancelled.

    Raises:
        ValueError: a line asks for less than one unit.
    """
    fresh = _first_per_order(orders)
    inserted = _insert_allocations(fresh, Allocation.State.RESERVED)
    wanted = {order_id: _units_by_sku(order) for order_id, order in fresh.items() if order_id in inserted}
    stock_rows = _lock_stock_by_sku({sku for units in wanted.values() for sku in units})

    entries: list[NewMovement] = []
    outcomes: list[StockReserved | StockRejected] = []
    for order_id, units in wanted.items():
        cause = fresh[order_id]
        if short := [sku for sku, quantity in units.items() if _available(stock_rows[sku]) < quantity]:
            outcomes.append(StockRejected(order_id=order_id, reason=_shortage(short), cause=cause))
            continue
        outcomes.append(StockReserved(order_id=order_id, cause=cause))
        for sku, quantity in units.items():
            for row, taken in allocate(quantity, stock_rows[sku]):
                entries.append(
                    change(row, Movement.Kind.RESERVED, reserved=taken, order_id=order_id, event_id=cause.id)
                )

    write_movements(entries, reserving=True, places=_places(row for rows in stock_rows.values() for row in rows))
    if rejected := [outcome.order_id for outcome in outcomes if isinstance(outcome, StockRejected)]:
        Allocation.objects.filter(pk__in=rejected).update(state=Allocation.State.REJECTED)
    publish(*outcomes)


@transaction.atomic
def release_stock(*, cancelled: Sequence[OrderCancelled]) -> None:
    """Release the units reserved for cancelled orders.

    An order whose OrderPlaced has not arrived yet gets a cancelled allocation, so that nothing is reserved for it
    later.
    """
    causes = _first_per_order(cancelled)
    inserted = _insert_allocations(causes, Allocation.State.CANCELLED)
    allocations = list(
        Allocation.objects.select_for_update()
        .filter(pk__in=causes.keys() - inserted)
        .exclude(state=Allocation.State.CANCELLED)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if not allocations:
        return
    held = _active_reservations(allocations)
    stock_rows = _lock_stock_by_id({stock_id for _, _, stock_id in held})
    write_movements(
        [
            change(
                stock_rows[stock_id],
                Movement.Kind.RELEASED,
                reserved=-quantity,
                order_id=order_id,
                event_id=causes[order_id].id,
            )
            for order_id, quantity, stock_id in held
        ],
        places=_places(stock_rows.values()),
    )
    active = Reservation.objects.filter(allocation__in=allocations, state=Reservation.State.ACTIVE)
    active.update(state=Reservation.State.RELEASED)
    _mark_cancelled({order_id: causes[order_id] for order_id in allocations})


def _first_per_order(events: Sequence[Cause]) -> dict[UUID, Cause]:
    first: dict[UUID, Cause] = {}
    for event in events:
        first.setdefault(event.order_id, event)
    return first


def _insert_allocations(causes: Mapping[UUID, Cause], state: Allocation.State) -> set[UUID]:
    """Insert an allocation for each order that has none, and return those orders."""
    allocations = (
        {"order_id": order_id, "state": state.value, "event_id": event.id} for order_id, event in sorted(causes.items())
    )
    # Ordered by id against deadlocks. SQLite needs the WHERE: without it, ON reads as part of a join.
    inserted = execute_together(
        """
        INSERT INTO inventory_allocation (order_id, state, event_id)
        SELECT order_id, state, event_id FROM entry
        WHERE true ORDER BY order_id
        ON CONFLICT (order_id) DO NOTHING
        RETURNING order_id
        """,
        entry=Rows({"order_id": "uuid", "state": "text", "event_id": "uuid"}, allocations),
    )
    return {to_uuid(order_id) for (order_id,) in inserted}


def _mark_cancelled(causes: Mapping[UUID, OrderCancelled]) -> None:
    """Mark the allocations of orders as cancelled, each by its event."""
    execute_together(
        f"""
        UPDATE inventory_allocation
        SET state = 'cancelled', event_id = entry.event_id, at = {now()}
        FROM entry
        WHERE inventory_allocation.order_id = entry.order_id
        """,  # noqa: S608
        entry=Rows(
            {"order_id": "uuid", "event_id": "uuid"},
            ({"order_id": order_id, "event_id": event.id} for order_id, event in causes.items()),
        ),
    )


def _active_reservations(orders: Sequence[UUID]) -> list[tuple[UUID, int, int]]:
    """Return the order, the quantity and the stock row's id of each active reservation of the orders."""
    rows = execute(
        f"""
        SELECT allocation_id, quantity, stock_id FROM inventory_reservation
        WHERE {is_among("allocation_id", "uuid")} AND state = 'active'
        ORDER BY stock_id, id
        """,  # noqa: S608
        as_list(orders),
    )
    return [(to_uuid(order_id), *rest) for order_id, *rest in rows]


def _lock_stock_by_id(stock_ids: Collection[int]) -> dict[int, LockedStock]:
    """Lock stock rows, in the order of their ids."""
    rows = execute(
        f"""
        SELECT {_stock_columns("stock")} FROM inventory_stock stock
        WHERE {is_among("stock.id", "bigint")}
        ORDER BY stock.id {for_update("stock")}
        """,  # noqa: S608
        as_list(sorted(stock_ids)),
    )
    return {pk: LockedStock(pk, *rest) for pk, *rest in rows}


def _units_by_sku(order: OrderPlaced) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in order.lines:
        if line.quantity < 1:
            raise ValueError(f"order {order.order_id} asks for {line.quantity} units of {line.sku}")
        units[line.sku] += line.quantity
    return units


def _lock_stock_by_sku(skus: Collection[str]) -> defaultdict[str, list[LockedStock]]:
    """Lock the stock rows of products in the order of their ids; return them by SKU, the first to empty first."""
    rows = execute(
        f"""
        SELECT location.priority, location.id, product.sku, {_stock_columns("stock")}
        FROM inventory_stock stock
        JOIN inventory_product product ON product.id = stock.product_id
        JOIN inventory_location location ON location.id = stock.location_id
        WHERE {is_among("product.sku", "text")} AND location.active
        ORDER BY stock.id {for_update("stock")}
        """,  # noqa: S608
        as_list(sorted(skus)),
    )
    stock_rows: defaultdict[str, list[LockedStock]] = defaultdict(list)
    for _, _, sku, *row in sorted(rows):
        stock_rows[sku].append(LockedStock(*row))
    return stock_rows


def _places(stock_rows: Iterable[LockedStock]) -> dict[int, Any]:
    """The `places` argument of `write_movements`."""
    return {row.pk: row.place for row in stock_rows}


def _stock_columns(table: str) -> str:
    """SQL for the fields of a LockedStock."""
    return f"{table}.id, {table}.on_hand, {table}.reserved, {place_column(table)}"


def _available(stock_rows: Sequence[LockedStock]) -> int:
    return sum(row.on_hand - row.reserved for row in stock_rows)


def allocate(quantity: int, stock_rows: Sequence[LockedStock]) -> Iterator[tuple[LockedStock, int]]:
    """Choose the stock rows that a quantity is taken from. The caller takes each share before it asks for the next."""
    for row in stock_rows:
        if taken := min(quantity, row.on_hand - row.reserved):
            quantity -= taken
            yield row, taken


def _shortage(skus: Sequence[str]) -> str:
    more = f" and {len(skus) - MAX_SKUS_NAMED} more" if len(skus) > MAX_SKUS_NAMED else ""
    return f"not enough stock of {', '.join(skus[:MAX_SKUS_NAMED])}{more}"
