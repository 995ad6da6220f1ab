"""Several at once, each on a database connection of its own."""

from uuid import uuid4

import pytest
from django.db import IntegrityError

from orders.models import Order
from orders.operations import StatusForbids, cancel_order, confirm_orders, open_welcome_order, reject_orders
from project.events import OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected, StockRejected, StockReserved
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_many_cancels_at_once_one_succeeds(place, published):
    order = place()
    results = at_once(*[lambda: cancel_order(order_id=order.pk)] * 8, expected=(StatusForbids,))
    assert sum(isinstance(result, StatusForbids) for result in results) == 7
    assert len(published(OrderCancelled)) == 1
    assert [change.sequence for change in order.changes.order_by("sequence")] == [1, 2]


def test_crossed_batches_and_cancels_all_end_and_each_order_goes_one_way(place, published):
    orders = [place() for _ in range(20)]
    rising = [StockReserved(order_id=order.pk) for order in orders]
    at_once(
        lambda: confirm_orders(reserved=rising),
        lambda: confirm_orders(reserved=rising[::-1]),
        *[lambda order=order: cancel_order(order_id=order.pk) for order in orders[::4]],
    )
    assert set(Order.objects.values_list("status", flat=True)) <= {"confirmed", "cancelled"}
    for order in Order.objects.prefetch_related("changes"):
        told = [event for kind in (OrderConfirmed, OrderCancelled) for event in published(kind)]
        sequences = [1, *sorted(event.sequence for event in told if event.order_id == order.pk)]
        assert sequences == [change.sequence for change in order.changes.all()] == list(range(1, order.version + 1))
    assert Order.objects.filter(status="cancelled").count() == 5


def test_crossed_rejections_tell_of_each_order_once(place, published):
    orders = [place() for _ in range(10)]
    events = [StockRejected(order_id=order.pk, reason="TEA is short.") for order in orders]
    at_once(*[lambda: reject_orders(rejected=events), lambda: reject_orders(rejected=events[::-1])] * 2)
    assert sorted(event.order_id for event in published(OrderRejected)) == sorted(order.pk for order in orders)


def test_one_user_gets_one_welcome_order_from_many_at_once(settings, catalogue, published):
    settings.WELCOME_SKU = "HELLO"
    catalogue("HELLO")
    user_id = uuid4()
    at_once(*[lambda: open_welcome_order(user_id=user_id)] * 8, expected=(IntegrityError,))
    assert Order.objects.get().is_welcome
    assert len(published(OrderPlaced)) == 1
