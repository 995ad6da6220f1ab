"""A database of 0.1.0 becomes one of today with all its rows, and what was owed then is handled."""

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations import find_drift
from orders.models import Order, Status
from project.bus.models import Delivery, Event, Failure, Receipt, Subscription
from project.bus.registry import handlers
from project.bus.relay.scan import due_handlers
from project.bus.worker.consumer import answer_bell
from tests.migrations.helpers import V010, columns_now, migrate_replaced, rows, undo_what_came_after_the_squashed
from tests.migrations.shop_v010 import ORDERS_PER_STATUS, SUBSCRIPTIONS, Shop, states

#: Columns that have another name now.
RENAMED = {
    ("bus_subscription", "rests"): "openings",
    ("bus_subscription", "rests_until"): "open_until",
    ("bus_receipt", "ended_at"): "settled_at",
}


@pytest.fixture
def shop(empty):
    """A database of 0.1.0, with rows in it."""
    shop = Shop(migrate_replaced(V010))
    with transaction.atomic():
        shop.fill()
    return shop


@pytest.fixture
def before(shop):
    """The rows of 0.1.0, by table, and their columns."""
    columns = columns_now()
    found = rows(columns)
    assert sum(map(len, found.values())) > 200
    return columns, found


def upgrade():
    call_command("migrate", verbosity=0)


def rows_as_before(columns):
    """The same columns of the same tables, under the names that they have now."""
    return rows({table: [RENAMED.get((table, name), name) for name in names] for table, names in columns.items()})


def without_new_subscriptions(found):
    """Migrate writes the handlers of today."""
    known = {(event_type, handler) for event_type, names in SUBSCRIPTIONS.items() for handler in names}
    return found | {"bus_subscription": [row for row in found["bus_subscription"] if known & {row[1:3]}]}


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def drain():
    for _ in range(100):
        due = [found for found in due_handlers() if found.handler in handlers]
        if not due:
            return
        for found in due:
            answer_bell(handlers[found.handler])
    pytest.fail("something is still due")


def test_every_row_is_kept(before):
    columns, rows_before = before
    upgrade()
    assert without_new_subscriptions(rows_as_before(columns)) == rows_before


def test_new_columns_have_their_defaults(shop):
    upgrade()
    assert set(Delivery.objects.values_list("signature", "waits_for")) == {("", "")}
    assert set(Subscription.objects.values_list("failures", "openings", "open_until")) == {(0, 0, None)}


def test_stock_that_agrees_with_its_ledger_still_does(shop):
    assert find_drift() == []
    upgrade()
    assert find_drift() == []
    call_command("verify_stock")


def test_a_drift_of_before_is_found_afterwards(shop):
    run("UPDATE inventory_stock SET on_hand = on_hand + 7 WHERE id = (SELECT min(id) FROM inventory_stock)")
    found = find_drift()
    assert len(found) == 1
    upgrade()
    assert find_drift() == found


def test_what_was_due_is_handled_to_the_end(shop):
    assert states(shop.apps.get_model("bus", "Delivery").objects) == {"fresh": 6, "retried": 3, "dead": 1}
    receipts = shop.apps.get_model("bus", "Receipt").objects.count()
    upgrade()
    mail.outbox = []
    drain()
    assert not Order.objects.filter(status=Status.PLACED).exists()
    assert Order.objects.filter(status=Status.CONFIRMED).count() == 2 * ORDERS_PER_STATUS
    # What is dead stays dead, and what is to be retried tomorrow waits.
    assert states(Delivery.objects) == {"retried": 1, "dead": 1}
    # The placed orders take three handlers each, to reserve, confirm and mail; five mails were owed.
    assert Receipt.objects.count() == receipts + 3 * ORDERS_PER_STATUS + 5
    assert len(mail.outbox) == ORDERS_PER_STATUS + 5
    assert Failure.objects.count() == 2 * 2 + 8
    assert find_drift() == []


def test_a_new_delivery_never_gets_the_id_of_a_receipt(shop):
    """Also if nothing is owed at the time: SQLite forgets a table's last id when a migration remakes it."""
    last = shop.deliveries
    shop.apps.get_model("bus", "Delivery").objects.all().delete()
    upgrade()
    event = Event.objects.first()
    assert Delivery.objects.create(event=event, handler="a", due_at=shop.now).pk > last
    Delivery.objects.all().delete()
    migrate_replaced(V010)
    old = migrate_replaced([("bus", "0001_initial")])
    assert old.get_model("bus", "Delivery").objects.create(event_id=event.pk, handler="b", due_at=shop.now).pk > last


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inventory_movement SET reason = 'changed'",
        "DELETE FROM inventory_movement",
        "DELETE FROM inventory_stock",
        "UPDATE inventory_stock SET id = id + 1000",
    ],
)
def test_the_ledger_is_protected_afterwards(shop, statement):
    upgrade()
    with pytest.raises(DatabaseError, match="refuses"), transaction.atomic():
        run(statement)
    assert Movement.objects.count() == len(shop.movements)
    assert Stock.objects.count() == len(shop.stock)


def test_a_stock_row_without_movements_can_be_deleted(shop):
    upgrade()
    place = Location.objects.create(code="new", name="New")
    Stock.objects.create(product=Product.objects.first(), location=place)
    assert Stock.objects.filter(location=place).delete()[0] == 1


def test_the_way_back_keeps_every_row_and_the_way_forth_works_again(before):
    columns, rows_before = before
    upgrade()
    undo_what_came_after_the_squashed()
    migrate_replaced(V010)
    assert columns_now() == columns
    assert without_new_subscriptions(rows(columns)) == rows_before
    with pytest.raises(DatabaseError), transaction.atomic():
        run("DELETE FROM inventory_movement")
    upgrade()
    drain()
    assert states(Delivery.objects) == {"retried": 1, "dead": 1}
