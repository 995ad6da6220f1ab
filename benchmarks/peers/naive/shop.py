"""The naive peer, for benchmarks/agent.py."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.orders import (
    CUSTOMERS,
    HISTORY_SEED,
    PRICES,
    UNITS_PER_PRODUCT,
    OrderSpec,
    customer_id,
    generate_orders,
    in_batches,
    order_total,
)
from benchmarks.peers.naive import operations
from benchmarks.peers.naive.models import (
    Customer,
    Movement,
    Order,
    OrderChange,
    OrderLine,
    Product,
    Reservation,
    Stock,
)

LOCK_ERROR = OperationalError


def place_one(spec: OrderSpec) -> UUID:
    """Place one order; its id."""
    return operations.place_order(spec.customer_id, spec.lines).pk


def place_many(wanted: Sequence[OrderSpec]) -> None:
    """Place orders in one transaction."""
    operations.place_orders([(spec.customer_id, spec.lines) for spec in wanted])


def token() -> str:
    """The bearer token of a customer."""
    user, _ = User.objects.get_or_create(username="customer")
    return str(AccessToken.for_user(user))


def set_up(*, history: int) -> dict[str, Any]:
    """Make the tables, the products and a history of settled orders."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    Customer.objects.bulk_create(
        Customer(id=customer_id(number), email=f"customer{number}@example.org") for number in range(CUSTOMERS)
    )
    products = Product.objects.bulk_create(Product(sku=sku, name=f"Product {sku}", price=PRICES[sku]) for sku in PRICES)
    stocks = {
        product.sku: Stock(product=product, on_hand=UNITS_PER_PRODUCT, reserved=0)
        for product in sorted(products, key=lambda product: product.pk)
    }
    Stock.objects.bulk_create(stocks.values())
    Movement.objects.bulk_create(
        Movement(
            stock=stock,
            kind="received",
            on_hand_delta=UNITS_PER_PRODUCT,
            on_hand_after=UNITS_PER_PRODUCT,
            reserved_after=0,
        )
        for stock in stocks.values()
    )
    for chunk in in_batches(generate_orders(count=history, seed=HISTORY_SEED), size=2_000):
        add_history(chunk, stocks)
    Stock.objects.bulk_update(stocks.values(), ["reserved"], batch_size=500)
    return {}


def add_history(wanted: Sequence[OrderSpec], stocks: dict[str, Stock]) -> None:
    """Add orders that are settled."""
    orders = [
        Order(customer_id=spec.customer_id, currency="EUR", total=order_total(spec), status="confirmed")
        for spec in wanted
    ]
    Order.objects.bulk_create(orders)
    changes, lines, reservations, movements = [], [], [], []
    for order, spec in zip(orders, wanted, strict=True):
        changes += [
            OrderChange(order=order, to_status="placed"),
            OrderChange(order=order, from_status="placed", to_status="confirmed"),
        ]
        for sku, quantity in spec.lines:
            stock = stocks[sku]
            stock.reserved += quantity
            lines.append(
                OrderLine(order=order, sku=sku, name=f"Product {sku}", quantity=quantity, unit_price=PRICES[sku])
            )
            reservations.append(Reservation(order_id=order.pk, stock=stock, quantity=quantity))
            movements.append(
                Movement(
                    stock=stock,
                    kind="reserved",
                    reserved_delta=quantity,
                    on_hand_after=stock.on_hand,
                    reserved_after=stock.reserved,
                    order_id=order.pk,
                )
            )
    OrderChange.objects.bulk_create(changes)
    OrderLine.objects.bulk_create(lines)
    Reservation.objects.bulk_create(reservations)
    Movement.objects.bulk_create(movements)
