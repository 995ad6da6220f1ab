from typing import Any

import pytest
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Movement, Stock
from inventory.operations.stock import MAX_UNITS
from project.errors import InvalidInput
from tests.inventory.helpers import assert_ledger_holds, order_for, stock_figures, stocked

pytestmark = pytest.mark.django_db


def receive(**changes):
    arguments: dict[str, Any] = {"sku": "MUG", "location": "north", "quantity": 5, "reason": "delivery 12"}
    return operations.receive_stock(**arguments | changes)


def adjust(**changes):
    arguments: dict[str, Any] = {"sku": "MUG", "location": "north", "quantity": -1, "reason": "one broke"}
    return operations.adjust_stock(**arguments | changes)


def transfer(**changes):
    arguments: dict[str, Any] = {"sku": "MUG", "source": "north", "target": "south", "quantity": 3, "reason": "space"}
    return operations.transfer_stock(**arguments | changes)


def test_received_units_are_on_hand_and_in_the_ledger():
    stocked("MUG", north=0)
    actor = uuid7()

    stock = receive(actor_id=actor)

    assert (stock.on_hand, stock.reserved) == stock_figures("MUG", "north") == (5, 0)
    movement = Movement.objects.get()
    assert (movement.kind, movement.on_hand_delta, movement.reserved_delta) == ("received", 5, 0)
    assert (movement.actor_id, movement.reason) == (actor, "delivery 12")


def test_received_units_add_up():
    stocked("MUG", north=0)
    receive()
    receive(quantity=7)

    assert stock_figures("MUG", "north") == (12, 0)
    assert Stock.objects.count() == 1
    assert_ledger_holds()


def test_adjustment_adds_or_removes_units():
    stocked("MUG", north=5)
    adjust(quantity=-2)
    adjust(quantity=4)

    assert stock_figures("MUG", "north") == (7, 0)
    assert_ledger_holds()


def test_adjustment_cannot_remove_reserved_units():
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[order_for(MUG=3)])
    adjust(quantity=-2)

    with pytest.raises(InvalidInput, match="3 are on hand and 3 of them reserved: at most 0 can be removed"):
        adjust(quantity=-1)

    assert stock_figures("MUG", "north") == (3, 3)
    assert_ledger_holds()


def test_transfer_moves_units_between_locations():
    stocked("MUG", north=5, south=0)

    outgoing, incoming = transfer()

    assert (outgoing.on_hand, incoming.on_hand) == (2, 3)
    assert (stock_figures("MUG", "north"), stock_figures("MUG", "south")) == ((2, 0), (3, 0))
    assert sorted(Movement.objects.filter(kind="transferred").values_list("on_hand_delta", flat=True)) == [-3, 3]
    assert_ledger_holds()


def test_reserved_units_cannot_be_transferred():
    stocked("MUG", north=5, south=0)
    operations.reserve_stock(orders=[order_for(MUG=3)])

    with pytest.raises(InvalidInput) as refusal:
        transfer(quantity=3)

    assert [error.field for error in refusal.value.errors] == ["quantity"]
    assert stock_figures("MUG", "north") == (5, 3)
    assert not Stock.objects.filter(location__code="south").exists()


@pytest.mark.parametrize(
    ("operation", "changes", "fields"),
    [
        (receive, {"sku": "GHOST"}, ["sku"]),
        (receive, {"location": "moon"}, ["location"]),
        (receive, {"sku": "GHOST", "location": "moon", "quantity": 0}, ["quantity", "sku", "location"]),
        (receive, {"quantity": 0}, ["quantity"]),
        (receive, {"quantity": -5}, ["quantity"]),
        (receive, {"quantity": 10**12}, ["quantity"]),
        (receive, {"quantity": 10**30}, ["quantity"]),
        (receive, {"reason": " "}, ["reason"]),
        (adjust, {"sku": "GHOST"}, ["sku"]),
        (adjust, {"location": "moon"}, ["location"]),
        (adjust, {"quantity": 0}, ["quantity"]),
        (adjust, {"quantity": -6}, ["quantity"]),
        (adjust, {"quantity": -(10**12)}, ["quantity"]),
        (adjust, {"location": "south"}, ["quantity"]),
        (adjust, {"reason": ""}, ["reason"]),
        (adjust, {"reason": "", "actor_id": uuid7()}, ["reason"]),
        (transfer, {"sku": "GHOST"}, ["sku"]),
        (transfer, {"source": "moon"}, ["source"]),
        (transfer, {"target": "moon"}, ["target"]),
        (transfer, {"target": "north"}, ["target"]),
        (transfer, {"quantity": 6}, ["quantity"]),
        (transfer, {"quantity": 0}, ["quantity"]),
        (transfer, {"quantity": -1}, ["quantity"]),
        (transfer, {"reason": ""}, ["reason"]),
    ],
)
def test_invalid_arguments_name_their_fields_and_change_nothing(operation, changes, fields):
    stocked("MUG", north=5, south=0)
    before = list(Stock.objects.values_list("location__code", "on_hand", "reserved"))

    with pytest.raises(InvalidInput) as refusal:
        operation(**changes)

    assert [error.field for error in refusal.value.errors] == fields
    assert list(Stock.objects.values_list("location__code", "on_hand", "reserved")) == before
    assert Movement.objects.count() == 1


def test_the_maximum_can_be_received_repeatedly():
    stocked("MUG", north=0)
    for _ in range(5):
        receive(quantity=MAX_UNITS)

    assert stock_figures("MUG", "north") == (5 * MAX_UNITS, 0)
    assert_ledger_holds()


def test_receiving_with_an_actor_requires_no_reason():
    stocked("MUG", north=0)
    receive(reason="", actor_id=uuid7())

    assert stock_figures("MUG", "north") == (5, 0)
