"""What orders do to stock: reserve it and release it.

Each function takes a batch and uses a fixed number of statements, however many orders and lines that has. Both begin by
inserting the orders' allocations. Whoever inserts one has the order to itself; whoever finds one there knows that the
order was handled before, or that a cancel overtook it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction

from inventory.models import Allocation, Movement, Reservation
from inventory.operations.ledger import Entry, move, record
from project.bus.outbox import publish
from project.bus.sql import among, as_json, listed, now, recordset, run, uuid_of
from project.events import OrderCancelled, OrderPlaced, StockRejected, StockReserved

Cause = TypeVar("Cause", OrderPlaced, OrderCancelled)

#: How many SKUs a rejection names before it only counts.
NAMED = 3


@dataclass(slots=True)
class Shelf:
    """A stock row in hand, locked."""

    pk: int
    on_hand: int
    reserved: int
    #: PostgreSQL: the place of the row.
    ctid: str | None = None


@transaction.atomic
def reserve_stock(*, orders: Sequence[OrderPlaced]) -> None:
    """Reserve all that an order asks for, or nothing of it; publish StockReserved or StockRejected.

    Orders are served in the order given, their lines from the active locations by priority, split where one location
    has too little. An order that has an allocation already is passed over: it was served before, or was cancelled.

    Raises:
        ValueError: a line asks for less than one unit, which no order may.
    """
    fresh = _first_per_order(orders)
    opened = _open_allocations(fresh, Allocation.State.RESERVED)
    wanted = {order_id: _units_by_sku(order) for order_id, order in fresh.items() if order_id in opened}
    shelves = _lock_shelves({sku for units in wanted.values() for sku in units})

    entries: list[Entry] = []
    outcomes: list[StockReserved | StockRejected] = []
    for order_id, units in wanted.items():
        cause = fresh[order_id]
        if short := [sku for sku, quantity in units.items() if _available(shelves[sku]) < quantity]:
            outcomes.append(StockRejected(order_id=order_id, reason=_shortage(short), cause=cause))
            continue
        outcomes.append(StockReserved(order_id=order_id, cause=cause))
        for sku, quantity in units.items():
            for shelf, taken in _fill(quantity, shelves[sku]):
                entries.append(
                    move(shelf, Movement.Kind.RESERVED, reserved=taken, order_id=order_id, event_id=cause.id)
                )

    record(entries, reserving=True, places=_places(shelf for row in shelves.values() for shelf in row))
    if rejected := [outcome.order_id for outcome in outcomes if isinstance(outcome, StockRejected)]:
        Allocation.objects.filter(pk__in=rejected).update(state=Allocation.State.REJECTED)
    publish(*outcomes)


@transaction.atomic
def release_stock(*, cancelled: Sequence[OrderCancelled]) -> None:
    """Give back what cancelled orders hold; leave word for orders that have not come yet."""
    causes = _first_per_order(cancelled)
    opened = _open_allocations(causes, Allocation.State.CANCELLED)
    allocations = list(
        Allocation.objects.select_for_update()
        .filter(pk__in=causes.keys() - opened)
        .exclude(state=Allocation.State.CANCELLED)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if not allocations:
        return
    held = _held(allocations)
    shelves = _lock_shelves_by_id({stock_id for _, _, stock_id in held})
    record(
        [
            move(
                shelves[stock_id],
                Movement.Kind.RELEASED,
                reserved=-quantity,
                order_id=order_id,
                event_id=causes[order_id].id,
            )
            for order_id, quantity, stock_id in held
        ],
        places=_places(shelves.values()),
    )
    active = Reservation.objects.filter(allocation__in=allocations, state=Reservation.State.ACTIVE)
    active.update(state=Reservation.State.RELEASED)
    _close_allocations({order_id: causes[order_id] for order_id in allocations})


def _first_per_order(events: Sequence[Cause]) -> dict[UUID, Cause]:
    first: dict[UUID, Cause] = {}
    for event in events:
        first.setdefault(event.order_id, event)
    return first


def _open_allocations(causes: Mapping[UUID, Cause], state: Allocation.State) -> set[UUID]:
    """Insert an allocation for each order that has none, by order id; returns the orders that had none."""
    entries = recordset(order_id="uuid", state="text", event_id="uuid")
    # SQLite needs the WHERE to tell this ON from a join's.
    opened = run(
        f"""
        INSERT INTO inventory_allocation (order_id, state, event_id)
        SELECT order_id, state, event_id FROM {entries}
        WHERE true ORDER BY order_id
        ON CONFLICT (order_id) DO NOTHING
        RETURNING order_id
        """,  # noqa: S608
        as_json(
            {"order_id": order_id, "state": state.value, "event_id": event.id}
            for order_id, event in sorted(causes.items())
        ),
    )
    return {uuid_of(order_id) for (order_id,) in opened}


def _close_allocations(causes: Mapping[UUID, OrderCancelled]) -> None:
    """Write that the orders are cancelled, and by which event."""
    run(
        f"""
        UPDATE inventory_allocation
        SET state = 'cancelled', event_id = entry.event_id, at = {now()}
        FROM {recordset(order_id="uuid", event_id="uuid")}
        WHERE inventory_allocation.order_id = entry.order_id
        """,  # noqa: S608
        as_json({"order_id": order_id, "event_id": event.id} for order_id, event in causes.items()),
    )


def _held(orders: Sequence[UUID]) -> list[tuple[UUID, int, int]]:
    """Of each active reservation of the orders its order, its quantity and its stock row's id."""
    rows = run(
        f"""
        SELECT allocation_id, quantity, stock_id FROM inventory_reservation
        WHERE {among("allocation_id", "uuid")} AND state = 'active'
        ORDER BY stock_id, id
        """,  # noqa: S608
        listed(orders),
    )
    return [(uuid_of(order_id), *rest) for order_id, *rest in rows]


def _lock_shelves_by_id(stock_ids: Collection[int]) -> dict[int, Shelf]:
    """The stock rows, locked by id."""
    rows = run(
        f"""
        SELECT {_shelf("stock")} FROM inventory_stock stock
        WHERE {among("stock.id", "bigint")}
        ORDER BY stock.id {_lock("stock")}
        """,  # noqa: S608
        listed(sorted(stock_ids)),
    )
    return {pk: Shelf(pk, *rest) for pk, *rest in rows}


def _units_by_sku(order: OrderPlaced) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in order.lines:
        if line.quantity < 1:
            raise ValueError(f"order {order.order_id} asks for {line.quantity} units of {line.sku}")
        units[line.sku] += line.quantity
    return units


def _lock_shelves(skus: Collection[str]) -> defaultdict[str, list[Shelf]]:
    """The stock rows of the products, locked by id, and per SKU in the order in which they are to be emptied."""
    rows = run(
        f"""
        SELECT location.priority, location.id, product.sku, {_shelf("stock")}
        FROM inventory_stock stock
        JOIN inventory_product product ON product.id = stock.product_id
        JOIN inventory_location location ON location.id = stock.location_id
        WHERE {among("product.sku", "text")} AND location.active
        ORDER BY stock.id {_lock("stock")}
        """,  # noqa: S608
        listed(sorted(skus)),
    )
    shelves: defaultdict[str, list[Shelf]] = defaultdict(list)
    for _, _, sku, *shelf in sorted(rows):
        shelves[sku].append(Shelf(*shelf))
    return shelves


def _places(shelves: Iterable[Shelf]) -> dict[int, str] | None:
    """Where the rows are, for `record`; None where the database does not tell."""
    return {shelf.pk: shelf.ctid for shelf in shelves if shelf.ctid is not None} or None


def _shelf(table: str) -> str:
    """SQL for the columns of a Shelf."""
    place = f", {table}.ctid" if connection.vendor == "postgresql" else ""
    return f"{table}.id, {table}.on_hand, {table}.reserved{place}"


def _lock(table: str) -> str:
    # SQLite has one writer, so whoever writes has locked everything.
    return f"FOR UPDATE OF {table}" if connection.features.has_select_for_update_of else ""


def _available(shelves: Sequence[Shelf]) -> int:
    return sum(shelf.on_hand - shelf.reserved for shelf in shelves)


def _fill(quantity: int, shelves: Sequence[Shelf]) -> Iterator[tuple[Shelf, int]]:
    """Which stock rows give how many of so many units; the caller takes each before asking for the next."""
    for shelf in shelves:
        if taken := min(quantity, shelf.on_hand - shelf.reserved):
            quantity -= taken
            yield shelf, taken


def _shortage(skus: Sequence[str]) -> str:
    more = f" and {len(skus) - NAMED} more" if len(skus) > NAMED else ""
    return f"not enough stock of {', '.join(skus[:NAMED])}{more}"
