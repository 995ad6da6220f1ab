import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from inventory import operations
from inventory.models import Movement, Stock
from inventory.operations.ledger import change, write_movements
from tests.inventory.helpers import order_for, stocked
from tests.migrations.helpers import REPLACED, migrate_replaced

pytestmark = pytest.mark.django_db
postgresql_only = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such statement")
sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no such statement")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def assert_refused(sql: str, match: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        execute(sql)


@pytest.fixture
def mugs():
    """Ten units on hand at one location, four of them reserved."""
    stocked("MUG", north=10)
    operations.reserve_stock(orders=[order_for(MUG=4)])


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE inventory_movement SET reason = 'nothing to see'", "UPDATE"),
        ("UPDATE inventory_movement SET on_hand_delta = 11 WHERE kind = 'received'", "UPDATE"),
        ("DELETE FROM inventory_movement", "DELETE"),
        ("DELETE FROM inventory_movement WHERE kind = 'received'", "DELETE"),
        pytest.param("TRUNCATE inventory_movement", "TRUNCATE", marks=postgresql_only),
        pytest.param(
            "REPLACE INTO inventory_movement SELECT * FROM inventory_movement WHERE kind = 'received'",
            "REPLACE",
            marks=sqlite_only,
        ),
    ],
)
def test_database_refuses_to_change_or_remove_a_movement(mugs, sql, named):
    before = list(Movement.objects.order_by("id").values())
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL IMMEDIATE")  # PostgreSQL refuses to truncate a table with deferred checks

    assert_refused(sql, match=f"inventory_movement is append-only and refuses {named}: write a further movement")

    assert list(Movement.objects.order_by("id").values()) == before


def test_orm_cannot_save_or_delete_a_movement(mugs):
    movement = Movement.objects.earliest("id")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        movement.save()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        movement.delete()


@pytest.mark.django_db(transaction=True)
def test_triggers_can_be_migrated_backwards_and_forwards(mugs):
    try:
        migrate_replaced([("inventory", "0001_initial")])
        execute("UPDATE inventory_movement SET reason = 'unprotected'")
    finally:
        migrate_replaced(REPLACED)
    assert_refused("UPDATE inventory_movement SET reason = 'protected'")
    assert_refused("DELETE FROM inventory_movement")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE inventory_stock SET reserved = 11",
        "UPDATE inventory_stock SET reserved = -1",
        "UPDATE inventory_stock SET on_hand = 3",
        "UPDATE inventory_stock SET on_hand = -1, reserved = -1",
        """INSERT INTO inventory_stock (product_id, location_id, on_hand, reserved)
            SELECT product_id, location_id, 0, 0 FROM inventory_stock""",
        "UPDATE inventory_reservation SET quantity = 0",
        "UPDATE inventory_reservation SET state = 'forgotten'",
        """INSERT INTO inventory_reservation (allocation_id, stock_id, quantity)
            SELECT allocation_id, stock_id, 1 FROM inventory_reservation""",
        "UPDATE inventory_allocation SET state = 'lost'",
        """INSERT INTO inventory_movement
            (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after)
            SELECT id, 'adjusted', 1, 0, 11, 4 FROM inventory_stock""",
        """INSERT INTO inventory_movement
            (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, reason)
            SELECT id, 'adjusted', 0, 0, 10, 4, 'nothing moved' FROM inventory_stock""",
        pytest.param("DELETE FROM inventory_stock", marks=postgresql_only),
        pytest.param("UPDATE inventory_stock SET id = -id", marks=postgresql_only),
        pytest.param("TRUNCATE inventory_stock", marks=postgresql_only),
    ],
)
def test_database_refuses_sql_that_breaks_a_constraint(mugs, sql):
    if sql.startswith("TRUNCATE"):
        execute("SET CONSTRAINTS ALL IMMEDIATE")  # PostgreSQL refuses to truncate a table with deferred checks
    assert_refused(sql)


@postgresql_only
def test_stock_row_without_movements_can_be_deleted(mugs):
    operations.add_location(code="south", name="South")
    execute(
        "INSERT INTO inventory_stock (product_id, location_id) SELECT p.id, l.id FROM inventory_product p, "
        "inventory_location l WHERE l.code = 'south'"
    )
    execute("DELETE FROM inventory_stock WHERE on_hand = 0")
    assert Stock.objects.count() == 1


def test_a_movement_of_a_stock_row_that_is_gone_is_refused_and_nothing_is_written(mugs):
    here = Stock.objects.get()
    gone = Stock(pk=here.pk + 1, product=here.product, location=here.location)
    movements = [change(stock, Movement.Kind.RECEIVED, on_hand=5, reason="delivery") for stock in (here, gone)]
    before = Movement.objects.count()
    with pytest.raises(DatabaseError, match=rf"stock rows \[{gone.pk}\] are missing"), transaction.atomic():
        write_movements(movements)
    assert Movement.objects.count() == before
    assert Stock.objects.get().on_hand == 10
