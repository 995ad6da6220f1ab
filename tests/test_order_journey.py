"""The events of an order through all services: registration, welcome order, reservation, confirmation, cancellation.

The tests run in one process; `drain` handles deliveries in place of relay and workers.
"""

from decimal import Decimal

import pytest
from django.core import mail

from inventory import operations as inventory
from inventory.models import Stock
from orders import operations as orders
from orders.models import Order
from project.bus.models import Delivery, Receipt
from project.events import Line, OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected
from users import operations as users


@pytest.fixture
def catalogue(drain):
    """Five cups, in the catalogue."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
    inventory.add_location(code="MAIN", name="Main store")
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=5, reason="first delivery")
    drain()


@pytest.fixture
def customer(db):
    return users.register_user(email="ada@example.org", password="correct horse battery", name="Ada", confirmed=True)


def stock_figures() -> tuple[int, int]:
    stock = Stock.objects.get()
    return stock.on_hand, stock.reserved


def test_a_new_user_gets_a_welcome_order_that_is_confirmed(catalogue, settings, drain, published):
    settings.WELCOME_SKU = "CUP"
    user = users.register_user(email="ada@example.org", password="correct horse battery", name="Ada", confirmed=True)
    drain()
    order = Order.objects.get(customer_id=user.pk)
    assert order.status == "confirmed"
    assert stock_figures() == (5, 1)
    chain = [event for event in published() if event.correlation_id == published()[-1].correlation_id]
    names = [type(event).__name__ for event in chain]
    assert names == ["UserCreated", "OrderPlaced", "StockReserved", "OrderConfirmed"]


def test_an_order_is_confirmed_when_its_stock_is_reserved(catalogue, customer, drain, published):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2)])
    assert order.status == "placed"
    drain()
    order.refresh_from_db()
    assert order.status == "confirmed"
    assert stock_figures() == (5, 2)
    assert [event.order_id for event in published(OrderConfirmed)] == [order.pk]
    (placed,) = published(OrderPlaced)
    assert [change.to_status for change in order.changes.order_by("sequence")] == ["placed", "confirmed"]
    assert Stock.objects.get().movements.get(kind="reserved").event_id == placed.id


def test_an_order_for_more_than_the_stock_is_rejected_and_reserves_nothing(catalogue, customer, drain, published):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=6)])
    drain()
    order.refresh_from_db()
    assert order.status == "rejected"
    assert "CUP" in order.reason
    assert stock_figures() == (5, 0)
    assert len(published(OrderRejected)) == 1


def test_cancelling_an_order_releases_its_stock(catalogue, customer, drain, published):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2)])
    drain()
    orders.cancel_order(order_id=order.pk, reason="changed my mind", actor_id=customer.pk)
    drain()
    order.refresh_from_db()
    assert order.status == "cancelled"
    assert stock_figures() == (5, 0)
    assert len(published(OrderCancelled)) == 1


def test_a_cancellation_that_is_handled_before_its_order_leaves_nothing_reserved(catalogue, customer, drain):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2)])
    orders.cancel_order(order_id=order.pk, reason="at once", actor_id=customer.pk)
    deliveries = Delivery.objects.filter(handler="inventory.reserve_stock")
    late = deliveries.get()
    deliveries.delete()
    drain()
    late.save(force_insert=True)
    drain()
    order.refresh_from_db()
    assert order.status == "cancelled"
    assert stock_figures() == (5, 0)


def test_the_customer_gets_emails_with_different_message_ids(catalogue, customer, drain):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2)])
    drain()
    assert [message.to for message in mail.outbox] == [["ada@example.org"]] * 2
    assert str(order.pk) in f"{mail.outbox[1].subject}{mail.outbox[1].body}"
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 2


def test_each_delivery_becomes_a_receipt(catalogue, customer, drain):
    for quantity in (1, 2, 3):
        orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=quantity)])
    drain()
    assert not Delivery.objects.exists()
    assert set(Receipt.objects.values_list("outcome", flat=True)) == {"done"}
