"""Helpers of the tests of inventory."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from project.events import Line, OrderCancelled, OrderPlaced

CUSTOMER = uuid7()


def stocked(sku: str, **units: int) -> Product:
    """Add a product with units at locations, of which orders use the first one first; missing locations are added.

    Example:
        `stocked("MUG", north=10, south=0)`
    """
    product = operations.add_product(sku=sku, name=f"The {sku}", price=Decimal("9.90"))
    for priority, (code, quantity) in enumerate(units.items()):
        if not Location.objects.filter(code=code).exists():
            operations.add_location(code=code, name=code.title(), priority=priority)
        if quantity:
            operations.receive_stock(sku=sku, location=code, quantity=quantity, reason="first delivery")
    return product


def order_for(order_id: UUID | None = None, /, **units: int) -> OrderPlaced:
    """The event of a new order: `order_for(MUG=2)` orders two units of MUG."""
    lines = [Line(sku=sku, quantity=quantity) for sku, quantity in units.items()]
    return OrderPlaced(order_id=order_id or uuid7(), customer_id=CUSTOMER, lines=lines)


def cancellation_of(order: OrderPlaced) -> OrderCancelled:
    return OrderCancelled(order_id=order.order_id, customer_id=order.customer_id, reason="changed my mind")


def stock_figures(sku: str, location: str) -> tuple[int, int]:
    """The units on hand and the units reserved."""
    return Stock.objects.values_list("on_hand", "reserved").get(product__sku=sku, location__code=location)


def reserved_units(order: OrderPlaced) -> dict[tuple[str, str], int]:
    """The units reserved for an order, by SKU and location."""
    rows = Reservation.objects.filter(allocation=order.order_id, state="active")
    return {(row.stock.product.sku, row.stock.location.code): row.quantity for row in rows}


def allocation_state(order: OrderPlaced) -> str:
    return Allocation.objects.get(pk=order.order_id).state


def assert_ledger_holds() -> None:
    """Check invariants 1 and 2 independently of `find_drift`, and that `find_drift` agrees."""
    for stock in Stock.objects.all():
        moved = Movement.objects.filter(stock=stock).aggregate(
            on_hand=Sum("on_hand_delta"), reserved=Sum("reserved_delta")
        )
        active = Reservation.objects.filter(stock=stock, state="active").aggregate(units=Sum("quantity"))["units"] or 0
        assert (stock.on_hand, stock.reserved) == (moved["on_hand"] or 0, moved["reserved"] or 0)
        assert stock.reserved == active
        assert 0 <= stock.reserved <= stock.on_hand
        last = Movement.objects.filter(stock=stock).order_by("id").last()
        assert last is None or (last.on_hand_after, last.reserved_after) == (stock.on_hand, stock.reserved)
    assert operations.find_drift() == []


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll the block back, because all examples of a Hypothesis test share one database transaction."""
    outer: Any = transaction.atomic()
    # As that of pytest's own: a durable transaction inside it is no error.
    outer._from_testcase = True
    with outer:
        yield
        transaction.set_rollback(True)
