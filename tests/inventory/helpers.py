"""What inventory's tests say often."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from project.events import Line, OrderCancelled, OrderPlaced

CUSTOMER = uuid7()


def stocked(sku: str, **units: int) -> Product:
    """A product with so many units at each location, made where there is none; the first named is emptied first."""
    product = operations.add_product(sku=sku, name=f"The {sku}", price=Decimal("9.90"))
    for priority, (code, quantity) in enumerate(units.items()):
        if not Location.objects.filter(code=code).exists():
            operations.add_location(code=code, name=code.title(), priority=priority)
        if quantity:
            operations.receive_stock(sku=sku, location=code, quantity=quantity, reason="first delivery")
    return product


def placed(order_id: UUID | None = None, **units: int) -> OrderPlaced:
    """An order of so many units of each product."""
    lines = [Line(sku=sku, quantity=quantity) for sku, quantity in units.items()]
    return OrderPlaced(order_id=order_id or uuid7(), customer_id=CUSTOMER, lines=lines)


def cancelled(order: OrderPlaced) -> OrderCancelled:
    return OrderCancelled(order_id=order.order_id, customer_id=order.customer_id, reason="changed my mind")


def figures(sku: str, location: str) -> tuple[int, int]:
    """On hand and reserved."""
    return Stock.objects.values_list("on_hand", "reserved").get(product__sku=sku, location__code=location)


def held(order: OrderPlaced) -> dict[tuple[str, str], int]:
    """The units that are kept for an order, by SKU and location."""
    rows = Reservation.objects.filter(allocation=order.order_id, state="active")
    return {(row.stock.product.sku, row.stock.location.code): row.quantity for row in rows}


def state(order: OrderPlaced) -> str:
    return Allocation.objects.get(pk=order.order_id).state


def assert_ledger_holds() -> None:
    """Invariants 1 and 2, computed apart from the code that the project checks them with."""
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
    """Whatever is done within leaves nothing: for the examples of a property, which share one test."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
