"""What staff wrote before customers were spared it: the migration hides it from them and keeps it in the history."""

from importlib import import_module
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection

from orders.models import Order
from orders.operations import cancel_order, reject_orders
from project.events import StockRejected

pytestmark = pytest.mark.django_db
migration = import_module("orders.migrations.0004_reasons_for_customers")


def test_old_reasons_of_staff_are_hidden_from_customers_and_no_others(place):
    orders = [place() for _ in range(4)]
    by_staff, by_customer, by_system, rejected = orders
    for order, actor in ((by_staff, uuid4()), (by_customer, by_customer.customer_id), (by_system, None)):
        cancel_order(order_id=order.pk, actor_id=actor, reason="A fraud?")
    reject_orders(rejected=[StockRejected(order_id=rejected.pk, reason="not enough stock of TEA")])
    # As releases before this one stored it.
    Order.objects.filter(pk=by_staff.pk).update(reason="A fraud?")

    migration.hide_reasons_of_staff(apps, SimpleNamespace(connection=connection))

    assert [Order.objects.get(pk=order.pk).reason for order in orders] == [
        *("Cancelled by the shop.", "A fraud?", "A fraud?"),
        "not enough stock of TEA",
    ]
    assert by_staff.changes.get(sequence=2).reason == "A fraud?"
