"""`manage.py verify_stock`: figures are broken by raw SQL, and it tells which, by how much, and since when."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inventory import operations
from inventory.models import Movement
from tests.inventory.helpers import cancelled, placed, stocked

pytestmark = pytest.mark.django_db


def run(sql: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@pytest.fixture
def order():
    """Ten on hand at one place, four of them reserved for this order."""
    stocked("MUG", north=10)
    order = placed(MUG=4)
    operations.reserve_stock(orders=[order])
    return order


def receive(quantity: int) -> Movement:
    operations.receive_stock(sku="MUG", location="north", quantity=quantity, reason="a delivery")
    return Movement.objects.latest("id")


def verify(capsys) -> tuple[int, str]:
    """The command's exit code, and what it printed with the spaces that make columns of it taken out."""
    try:
        call_command("verify_stock")
    except CommandError as error:
        return error.returncode, re.sub(r"[\s│]+", " ", capsys.readouterr().out) + str(error)
    return 0, capsys.readouterr().out


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has a foreign key against it")
def test_movements_of_a_stock_row_that_is_not_there_are_told(order, capsys):
    run(
        "INSERT INTO inventory_movement (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, "
        "reason) VALUES (-7, 'received', 3, 0, 3, 0, 'out of nowhere')"
    )
    code, said = verify(capsys)
    assert code == 1
    assert "no stock row -7 on hand 0 3 -3" in said


def test_stock_that_agrees_is_said_to(order, capsys):
    assert verify(capsys) == (0, "stock agrees with its ledger\n")


def test_no_stock_at_all_agrees(db, capsys):
    assert verify(capsys)[0] == 0


def test_a_whole_life_of_an_order_agrees(order, capsys):
    operations.release_stock(cancelled=[cancelled(order)])
    operations.adjust_stock(sku="MUG", location="north", quantity=-3, reason="three broke")
    assert verify(capsys)[0] == 0


def test_a_figure_changed_past_the_ledger_is_told_with_its_size_and_the_movements_around_the_change(order, capsys):
    before = Movement.objects.latest("id")
    run("UPDATE inventory_stock SET on_hand = on_hand - 2")
    after = receive(5)
    operations.adjust_stock(sku="MUG", location="north", quantity=-1, reason="one broke")

    (drift,) = operations.find_drift()
    assert (drift.sku, drift.location, drift.figure) == ("MUG", "north", "on hand")
    assert (drift.found, drift.expected, drift.difference) == (12, 14, -2)
    (since,) = drift.since
    assert since.startswith(f"-2 after movement {before.pk} (reserved, ")
    assert f" and before movement {after.pk} (received, {after.at:%Y-%m-%d %H:%M:%S})" in since

    code, printed = verify(capsys)
    assert code == 1
    assert f"MUG north on hand 12 14 -2 {since}" in printed
    assert printed.endswith("figures that are off: 1")


def test_each_change_of_several_is_told_by_itself(order):
    first = Movement.objects.latest("id")
    run("UPDATE inventory_stock SET on_hand = on_hand + 7")
    second = receive(5)
    third = receive(5)
    run("UPDATE inventory_stock SET on_hand = on_hand - 3")
    fourth = receive(5)
    run("UPDATE inventory_stock SET on_hand = on_hand + 1")

    (drift,) = operations.find_drift()
    assert drift.difference == 5
    at = "[0-9: -]{19}"
    told = (
        rf"\+7 after movement {first.pk} \(reserved, {at}\) and before movement {second.pk} \(received, {at}\)",
        rf"-3 after movement {third.pk} \(received, {at}\) and before movement {fourth.pk} \(received, {at}\)",
        rf"\+1 after movement {fourth.pk} \(received, {at}\), the last",
    )
    assert len(drift.since) == len(told)
    for since, pattern in zip(drift.since, told, strict=True):
        assert re.fullmatch(pattern, since), since


def test_a_figure_that_was_put_back_is_no_drift(order):
    run("UPDATE inventory_stock SET on_hand = on_hand + 7")
    receive(5)
    run("UPDATE inventory_stock SET on_hand = on_hand - 7")
    assert operations.find_drift() == []


def test_a_change_of_what_is_reserved_is_told_as_one_of_the_figure(order):
    last = Movement.objects.latest("id")
    run("UPDATE inventory_stock SET reserved = 5")

    (drift,) = operations.find_drift()
    assert (drift.figure, drift.found, drift.expected) == ("reserved", 5, 4)
    (since,) = drift.since
    assert since.startswith(f"+1 after movement {last.pk} (reserved, ")
    assert since.endswith(", the last")


def test_both_figures_of_two_places_are_told_one_by_one(order):
    stocked("CUP", south=3)
    run("UPDATE inventory_stock SET on_hand = on_hand + 1, reserved = reserved + 1")
    drifts = [(drift.sku, drift.location, drift.figure, drift.difference) for drift in operations.find_drift()]
    assert drifts == [
        ("CUP", "south", "on hand", 1),
        ("CUP", "south", "reserved", 1),
        ("MUG", "north", "on hand", 1),
        ("MUG", "north", "reserved", 1),
    ]


def test_stock_that_nothing_moved_there_is_a_drift():
    stocked("MUG", north=0)
    run(
        "INSERT INTO inventory_stock (product_id, location_id, on_hand, reserved)"
        " SELECT product.id, location.id, 7, 0 FROM inventory_product product, inventory_location location"
    )
    (drift,) = operations.find_drift()
    assert (drift.sku, drift.found, drift.expected, drift.since) == ("MUG", 7, 0, ["+7 without any movement"])


def test_a_movement_written_past_the_operations_is_where_the_drift_began(order):
    run(
        "INSERT INTO inventory_movement"
        " (stock_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, reason)"
        " SELECT id, 'received', 6, 0, on_hand, reserved, 'nobody' FROM inventory_stock"
    )
    forged = Movement.objects.latest("id")
    (drift,) = operations.find_drift()
    assert (drift.figure, drift.difference) == ("on hand", -6)
    (since,) = drift.since
    assert f"and before movement {forged.pk} (received" in since


def test_a_reservation_that_says_otherwise_than_the_ledger_names_its_order_and_the_orders_last_movement(order):
    untouched = placed(MUG=1)
    operations.reserve_stock(orders=[untouched])
    last = Movement.objects.get(order_id=order.order_id)
    run("UPDATE inventory_reservation SET quantity = 3 WHERE quantity = 4")

    (drift,) = operations.find_drift()
    assert (drift.figure, drift.found, drift.expected) == ("active reservations", 4, 5)
    (since,) = drift.since
    assert since.startswith(f"order {order.order_id}: reservations 3, ledger 4, after movement {last.pk} (reserved, ")


def test_a_reservation_that_vanished_and_one_that_nothing_moved_are_both_told(order):
    other = placed(MUG=2)
    operations.reserve_stock(orders=[other])
    operations.release_stock(cancelled=[cancelled(other)])
    run("UPDATE inventory_reservation SET state = 'released' WHERE state = 'active'")
    run("UPDATE inventory_reservation SET state = 'active' WHERE quantity = 2")

    (drift,) = operations.find_drift()
    assert (drift.found, drift.expected) == (2, 4)
    told = {since.partition(":")[0]: since.partition(": ")[2].partition(", after")[0] for since in drift.since}
    assert told == {
        f"order {order.order_id}": "reservations 0, ledger 4",
        f"order {other.order_id}": "reservations 2, ledger 0",
    }


def test_of_a_long_list_of_orders_the_first_are_shown_and_the_others_counted(order, capsys):
    operations.reserve_stock(orders=[placed(MUG=1) for _ in range(6)])
    run("UPDATE inventory_reservation SET quantity = quantity + 1")
    code, printed = verify(capsys)
    assert code == 1
    assert printed.count("order 0") == 5
    assert "and 2 more" in printed


def test_it_finds_nothing_with_one_statement(order, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert operations.find_drift() == []
