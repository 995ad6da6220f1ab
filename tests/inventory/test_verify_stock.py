"""`manage.py verify_stock` reports which figures raw SQL has changed, by how much, and since when."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inventory import operations
from inventory.models import Movement
from tests.inventory.helpers import cancellation_of, order_for, stocked

pytestmark = pytest.mark.django_db


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def order():
    """An order that reserves four of ten units at one location."""
    stocked("MUG", north=10)
    order = order_for(MUG=4)
    operations.reserve_stock(orders=[order])
    return order


def receive(quantity: int) -> Movement:
    operations.receive_stock(sku="MUG", location="north", quantity=quantity, reason="a delivery")
    return Movement.objects.latest("id")


def verify() -> tuple[int, str]:
    """The exit code of the command, and its output with runs of spaces and column lines as one space."""
    output = StringIO()
    try:
        call_command("verify_stock", stdout=output)
    except CommandError as error:
        return error.returncode, re.sub(r"[\s│]+", " ", output.getvalue()) + str(error)
    return 0, output.getvalue()


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has a foreign key against it")
def test_movements_without_a_stock_row_are_reported(order):
    execute(
        "INSERT INTO inventory_movement (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, "
        "reason) VALUES (-7, 'received', 3, 0, 3, 0, 'out of nowhere')"
    )
    code, printed = verify()
    assert code == 1
    assert "no stock row -7 on hand 0 3 -3" in printed


def test_consistent_stock_is_confirmed(order):
    assert verify() == (0, "stock agrees with its ledger\n")


def test_empty_stock_is_consistent(db):
    assert verify()[0] == 0


def test_reserving_releasing_and_adjusting_stay_consistent(order):
    operations.release_stock(cancelled=[cancellation_of(order)])
    operations.adjust_stock(sku="MUG", location="north", quantity=-3, reason="three broke")
    assert verify()[0] == 0


def test_change_outside_the_ledger_is_reported_with_its_size_and_the_movements_around_it(order):
    before = Movement.objects.latest("id")
    execute("UPDATE inventory_stock SET on_hand = on_hand - 2")
    after = receive(5)
    operations.adjust_stock(sku="MUG", location="north", quantity=-1, reason="one broke")

    (drift,) = operations.find_drift()
    assert (drift.sku, drift.location, drift.figure) == ("MUG", "north", "on hand")
    assert (drift.found, drift.expected, drift.difference) == (12, 14, -2)
    (since,) = drift.since
    assert since.startswith(f"-2 after movement {before.pk} (reserved, ")
    assert f" and before movement {after.pk} (received, {after.at:%Y-%m-%d %H:%M:%S})" in since

    code, printed = verify()
    assert code == 1
    assert f"MUG north on hand 12 14 -2 {since}" in printed
    assert printed.endswith("figures that differ: 1")


def test_several_changes_of_a_figure_are_reported_separately(order):
    first = Movement.objects.latest("id")
    execute("UPDATE inventory_stock SET on_hand = on_hand + 7")
    second = receive(5)
    third = receive(5)
    execute("UPDATE inventory_stock SET on_hand = on_hand - 3")
    fourth = receive(5)
    execute("UPDATE inventory_stock SET on_hand = on_hand + 1")

    (drift,) = operations.find_drift()
    assert drift.difference == 5
    at = "[0-9: -]{19}"
    reported = (
        rf"\+7 after movement {first.pk} \(reserved, {at}\) and before movement {second.pk} \(received, {at}\)",
        rf"-3 after movement {third.pk} \(received, {at}\) and before movement {fourth.pk} \(received, {at}\)",
        rf"\+1 after movement {fourth.pk} \(received, {at}\), the last",
    )
    assert len(drift.since) == len(reported)
    for since, pattern in zip(drift.since, reported, strict=True):
        assert re.fullmatch(pattern, since), since


def test_reverted_change_is_not_reported(order):
    execute("UPDATE inventory_stock SET on_hand = on_hand + 7")
    receive(5)
    execute("UPDATE inventory_stock SET on_hand = on_hand - 7")
    assert operations.find_drift() == []


def test_change_of_reserved_is_reported_for_that_figure(order):
    last = Movement.objects.latest("id")
    execute("UPDATE inventory_stock SET reserved = 5")

    (drift,) = operations.find_drift()
    assert (drift.figure, drift.found, drift.expected) == ("reserved", 5, 4)
    (since,) = drift.since
    assert since.startswith(f"+1 after movement {last.pk} (reserved, ")
    assert since.endswith(", the last")


def test_both_figures_of_two_locations_are_reported_separately(order):
    stocked("CUP", south=3)
    execute("UPDATE inventory_stock SET on_hand = on_hand + 1, reserved = reserved + 1")
    drifts = [(drift.sku, drift.location, drift.figure, drift.difference) for drift in operations.find_drift()]
    assert drifts == [
        ("CUP", "south", "on hand", 1),
        ("CUP", "south", "reserved", 1),
        ("MUG", "north", "on hand", 1),
        ("MUG", "north", "reserved", 1),
    ]


def test_stock_without_movements_is_reported():
    stocked("MUG", north=0)
    execute(
        "INSERT INTO inventory_stock (product_id, location_id, on_hand, reserved)"
        " SELECT product.id, location.id, 7, 0 FROM inventory_product product, inventory_location location"
    )
    (drift,) = operations.find_drift()
    assert (drift.sku, drift.found, drift.expected, drift.since) == ("MUG", 7, 0, ["+7 without any movement"])


def test_forged_movement_is_reported_as_the_start_of_the_drift(order):
    execute(
        "INSERT INTO inventory_movement"
        " (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, reason)"
        " SELECT id, 'received', 6, 0, on_hand, reserved, 'nobody' FROM inventory_stock"
    )
    forged = Movement.objects.latest("id")
    (drift,) = operations.find_drift()
    assert (drift.figure, drift.difference) == ("on hand", -6)
    (since,) = drift.since
    assert f"and before movement {forged.pk} (received" in since


def test_reservation_that_differs_from_the_ledger_names_its_order_and_its_last_movement(order):
    untouched = order_for(MUG=1)
    operations.reserve_stock(orders=[untouched])
    last = Movement.objects.get(order_id=order.order_id)
    execute("UPDATE inventory_reservation SET quantity = 3 WHERE quantity = 4")

    (drift,) = operations.find_drift()
    assert (drift.figure, drift.found, drift.expected) == ("active reservations", 4, 5)
    (since,) = drift.since
    assert since.startswith(f"order {order.order_id}: reservations 3, ledger 4, after movement {last.pk} (reserved, ")


def test_missing_and_surplus_reservations_are_both_reported(order):
    other = order_for(MUG=2)
    operations.reserve_stock(orders=[other])
    operations.release_stock(cancelled=[cancellation_of(other)])
    execute("UPDATE inventory_reservation SET state = 'released' WHERE state = 'active'")
    execute("UPDATE inventory_reservation SET state = 'active' WHERE quantity = 2")

    (drift,) = operations.find_drift()
    assert (drift.found, drift.expected) == (2, 4)
    reported = {since.partition(":")[0]: since.partition(": ")[2].partition(", after")[0] for since in drift.since}
    assert reported == {
        f"order {order.order_id}": "reservations 0, ledger 4",
        f"order {other.order_id}": "reservations 2, ledger 0",
    }


def test_only_the_first_orders_are_listed_and_the_others_counted(order):
    operations.reserve_stock(orders=[order_for(MUG=1) for _ in range(6)])
    execute("UPDATE inventory_reservation SET quantity = quantity + 1")
    code, printed = verify()
    assert code == 1
    assert printed.count("order 0") == 5
    assert "and 2 more" in printed


def test_finding_no_drift_takes_one_statement(order, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert operations.find_drift() == []
