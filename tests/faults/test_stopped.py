"""A worker that is stopped while it holds stock rows loses them, and its neighbour does its work."""

import os
import signal

import pytest
from django.db import connection

from inventory.models import Stock
from orders.models import Order
from project.bus.models import Receipt
from tests.faults import fault_points
from tests.faults.test_workers import each_delivery_has_exactly_one_receipt, place, unsettled
from tests.system import System, eventually

from project.events import OrderPlaced  # isort: skip


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows, and has no such time-out")
def test_a_stopped_worker_lets_go_of_its_rows_and_changes_nothing_when_it_goes_on(system: System, cups):
    points = system.directory / "points"
    points.mkdir()
    system.environment["FAULT_DIR"] = str(points)
    fault_points.arm(points, "handling", action="stop", handler="inventory.reserve_stock")
    place(orders_of_one=20)
    system.redis()
    system.relay()
    for name in ("one", "two"):
        system.worker("orders,inventory", "-I", "tests.faults.worker", name=name)
    (stopped,) = eventually(
        lambda: fault_points.fired(points, "handling"), within=20, what="a pool process stops itself"
    )
    try:
        eventually(
            lambda: not unsettled("inventory.reserve_stock", "orders.confirm_orders"),
            within=20,
            what="its neighbour has done everything",
        )
        assert not Receipt.objects.filter(worker__endswith=f":{stopped}", handler="inventory.reserve_stock").exists()
    finally:
        os.kill(stopped, signal.SIGCONT)
    place(orders_of_one=20)
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 40, within=20, what="40 orders confirmed")
    assert Stock.objects.get().reserved == 40
    assert each_delivery_has_exactly_one_receipt(OrderPlaced)
