"""Real workers on a real Redis, killed and starved."""

import json
from itertools import count

import pytest
from django.db import connection, transaction

from inventory.models import Stock
from orders import operations as orders
from orders.models import Order
from project.bus import publish
from project.bus.models import Delivery, Event, Failure, Receipt, Subscription
from project.events import Line, OrderPlaced
from tests.bus.events import Pinged
from tests.system import eventually
from users import operations as users

numbers = count()


def place(*, orders_of_one: int) -> None:
    user = users.register_user(email=f"u{next(numbers)}@example.org", password="correct horse battery", name="U")
    for _ in range(orders_of_one):
        orders.place_order(customer_id=user.pk, lines=[Line(sku="CUP", quantity=1)])


def unsettled(*handlers: str) -> int:
    owed = Delivery.objects.filter(dead_at=None)
    return (owed.filter(handler__in=handlers) if handlers else owed).count()


def each_delivery_has_exactly_one_receipt(event_type) -> bool:
    events = Event.objects.filter(type=event_type.wire_name)
    owed = Subscription.objects.filter(event_type=event_type.wire_name, active=True)
    pairs = list(Receipt.objects.filter(event__in=events).values_list("event_id", "handler"))
    return len(pairs) == len(set(pairs)) == events.count() * owed.count()


def test_users_and_orders_flow_through_real_queues_and_workers(system, cups):
    system.redis()
    system.relay()
    system.worker("users,orders,inventory,external")
    place(orders_of_one=20)
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 20, within=20, what="20 orders confirmed")
    eventually(lambda: not unsettled(), within=20, what="no delivery is left")
    assert Stock.objects.get().reserved == 20
    assert len(list((system.directory / "mail").glob("*"))) >= 1
    assert system.manage("verify_stock").returncode == 0
    status = json.loads(system.manage("bus", "status", "--json").stdout)
    assert (status["events"]["unsettled"], status["deliveries"]["dead"]) == (0, 0)
    assert status["deliveries"]["done"] == Receipt.objects.count()


def test_a_second_worker_of_a_queue_takes_its_share(system, cups):
    system.redis()
    place(orders_of_one=400)
    system.worker("inventory", name="one")
    system.worker("inventory", name="two")
    system.relay()
    eventually(lambda: not unsettled("inventory.reserve_stock"), within=30, what="all stock reserved")

    def both_have_receipts() -> bool:
        place(orders_of_one=20)
        return Receipt.objects.filter(handler="inventory.reserve_stock").values("worker").distinct().count() == 2

    eventually(both_have_receipts, within=30, what="both workers have receipts")


def test_a_worker_killed_between_its_stock_update_and_its_commit_loses_and_duplicates_nothing(system, cups, tmp_path):
    evidence = tmp_path / "evidence.json"
    place(orders_of_one=30)
    system.redis()
    system.relay()
    system.worker("inventory", "-I", "tests.faults.batch_points", FAULT_KILL_IN_RESERVE=str(evidence))
    eventually(evidence.exists, within=20, what="a pool process killed itself")
    # It died after its update, which it saw, and before its COMMIT, because no other session ever saw it.
    assert eventually(evidence.read_text, within=5, what="the evidence is written")
    seen = json.loads(evidence.read_text())
    assert seen["reserved"] > 0
    assert seen["in_transaction"]
    assert not Receipt.objects.filter(worker__endswith=f":{seen['pid']}").exists()
    eventually(
        lambda: not unsettled("inventory.reserve_stock"),
        within=10 if connection.vendor == "postgresql" else 20,
        what="everything is handled after the kill",
    )
    assert Stock.objects.get().reserved == 30
    assert each_delivery_has_exactly_one_receipt(OrderPlaced)
    assert system.manage("verify_stock").returncode == 0


def test_a_worker_that_gets_sigterm_while_it_sends_a_bell_to_its_pool_ends(system, cups, tmp_path):
    evidence = tmp_path / "the evidence is written"
    place(orders_of_one=1)
    system.redis()
    system.relay()
    system.worker("inventory", "-I", "tests.faults.batch_points", FAULT_TERM_IN_HANDING=str(evidence))
    process = system.processes["inventory"]
    eventually(
        lambda: evidence.exists() and evidence.read_text() == str(process.pid),
        within=20,
        what="SIGTERM arrived while the worker sent a bell",
    )
    process.wait(timeout=20)
    assert not unsettled("inventory.reserve_stock"), "the worker finishes its bell before it ends"


@pytest.mark.parametrize(("handler", "attempts"), [("faults.raise_on_42", 3), ("faults.die_on_42", 2)])
def test_one_event_that_always_fails_ends_dead_and_its_neighbours_are_done(system, handler, attempts):
    Subscription.objects.create(event_type=Pinged.wire_name, handler=handler, queue="inventory")
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(100)))
    system.redis()
    system.relay()
    system.worker("inventory", "-I", "tests.faults.batch_points")
    eventually(lambda: Receipt.objects.filter(handler=handler).count() == 99, within=60, what="99 are done")
    # SQLite's lease is 10 s, doubling with each attempt: what kills its process is dead after half a minute there.
    eventually(lambda: Delivery.objects.filter(dead_at__isnull=False).exists(), within=60, what="one is dead")
    dead = Delivery.objects.get()
    assert (dead.event.data, dead.attempts) == ({"number": 42}, attempts)
    assert max(Receipt.objects.values_list("attempts", flat=True)) <= 2
    last = Failure.objects.latest("id")
    assert ("killed" if handler == "faults.die_on_42" else "ValueError: 42 cannot be handled") in last.traceback


def test_a_broker_that_comes_back_empty_is_rung_again(system, cups):
    broker = system.redis()
    system.relay()
    system.worker("orders,inventory")
    place(orders_of_one=1)
    eventually(
        lambda: not unsettled("inventory.reserve_stock", "orders.confirm_orders"),
        within=20,
        what="the first order is settled",
    )
    for _ in range(5):
        place(orders_of_one=5)
        broker.flushall()
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 26, within=20, what="26 orders confirmed")
