"""Places orders."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction

from benchmarks.peers.naive.models import Order, OrderChange, OrderLine, Product
from benchmarks.peers.naive.tasks import enqueue, reserve_stock

Lines = Sequence[tuple[str, int]]


def place_order(customer_id: UUID, lines: Lines) -> Order:
    """Place one order; its post_save signal does the rest."""
    products = Product.objects.in_bulk([sku for sku, _ in lines], field_name="sku")
    with transaction.atomic():
        order = Order.objects.create(customer_id=customer_id, currency="EUR", total=total_of(lines, products))
        OrderLine.objects.bulk_create(lines_of(order, lines, products))
        OrderChange.objects.create(order=order, to_status=order.status)
    return order


def place_orders(wanted: Sequence[tuple[UUID, Lines]]) -> None:
    """Place orders in one transaction. bulk_create sends no signal, so this function enqueues the tasks."""
    products = Product.objects.in_bulk({sku for _, lines in wanted for sku, _ in lines}, field_name="sku")
    orders = [
        Order(customer_id=customer_id, currency="EUR", total=total_of(lines, products)) for customer_id, lines in wanted
    ]
    with transaction.atomic():
        Order.objects.bulk_create(orders)
        OrderLine.objects.bulk_create(
            line for order, (_, lines) in zip(orders, wanted, strict=True) for line in lines_of(order, lines, products)
        )
        OrderChange.objects.bulk_create(OrderChange(order=order, to_status=order.status) for order in orders)
        for order in orders:
            enqueue(reserve_stock, str(order.pk))


def total_of(lines: Lines, products: Mapping[str, Product]) -> object:
    """The total of lines."""
    return sum(quantity * products[sku].price for sku, quantity in lines)


def lines_of(order: Order, lines: Lines, products: Mapping[str, Product]) -> list[OrderLine]:
    """The rows of an order's lines."""
    return [
        OrderLine(order=order, sku=sku, name=products[sku].name, quantity=quantity, unit_price=products[sku].price)
        for sku, quantity in lines
    ]
