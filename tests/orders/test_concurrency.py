"""Concurrent operations, each on its own database connection."""

from uuid import uuid4

import pytest
from django.db import IntegrityError

from orders.models import Order
from orders.operations import TransitionNotAllowed, cancel_order, confirm_orders, open_welcome_order, reject_orders
from project.events import OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected, StockRejected, StockReserved
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_only_one_of_many_concurrent_cancels_succeeds(place, published):
    order = place()
    results = at_once(*[lambda: cancel_order(order_id=order.pk)] * 8, expected=(TransitionNotAllowed,))
    assert sum(isinstance(result, TransitionNotAllowed) for result in results) == 7
    assert len(published(OrderCancelled)) == 1
    assert [change.sequence for change in order.changes.order_by("sequence")] == [1, 2]


def test_concurrent_batches_in_opposite_order_do_not_deadlock_and_each_order_gets_one_outcome(place, published):
    orders = [place() for _ in range(20)]
    ascending = [StockReserved(order_id=order.pk) for order in orders]
    at_once(
        lambda: confirm_orders(reserved=ascending),
        lambda: confirm_orders(reserved=ascending[::-1]),
        *[lambda order=order: cancel_order(order_id=order.pk) for order in orders[::4]],
    )
    assert set(Order.objects.values_list("status", flat=True)) <= {"confirmed", "cancelled"}
    for order in Order.objects.prefetch_related("changes"):
        announced = [event for kind in (OrderConfirmed, OrderCancelled) for event in published(kind)]
        sequences = [1, *sorted(event.sequence for event in announced if event.order_id == order.pk)]
        assert sequences == [change.sequence for change in order.changes.all()] == list(range(1, order.version + 1))
    assert Order.objects.filter(status="cancelled").count() == 5


def test_concurrent_rejections_in_opposite_order_announce_each_order_once(place, published):
    orders = [place() for _ in range(10)]
    events = [StockRejected(order_id=order.pk, reason="TEA is short.") for order in orders]
    at_once(*[lambda: reject_orders(rejected=events), lambda: reject_orders(rejected=events[::-1])] * 2)
    assert sorted(event.order_id for event in published(OrderRejected)) == sorted(order.pk for order in orders)


def test_concurrent_calls_open_one_welcome_order_per_user(settings, catalogue, published):
    settings.WELCOME_SKU = "HELLO"
    catalogue("HELLO")
    user_id = uuid4()
    at_once(*[lambda: open_welcome_order(user_id=user_id)] * 8, expected=(IntegrityError,))
    assert Order.objects.get().is_welcome
    assert len(published(OrderPlaced)) == 1
