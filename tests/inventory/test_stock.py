import pytest
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Movement, Stock
from inventory.operations.stock import MOST
from project.api.errors import InvalidInput
from tests.inventory.helpers import assert_ledger_holds, figures, placed, stocked

pytestmark = pytest.mark.django_db


def receive(**changes):
    return operations.receive_stock(
        **{"sku": "MUG", "location": "north", "quantity": 5, "reason": "delivery 12"} | changes
    )


def adjust(**changes):
    return operations.adjust_stock(
        **{"sku": "MUG", "location": "north", "quantity": -1, "reason": "one broke"} | changes
    )


def transfer(**changes):
    arguments = {"sku": "MUG", "source": "north", "target": "south", "quantity": 3, "reason": "nearer to customers"}
    return operations.transfer_stock(**arguments | changes)


def test_received_units_are_on_hand_and_in_the_ledger():
    stocked("MUG", north=0)
    actor = uuid7()

    stock = receive(actor_id=actor)

    assert (stock.on_hand, stock.reserved) == figures("MUG", "north") == (5, 0)
    movement = Movement.objects.get()
    assert (movement.kind, movement.on_hand_delta, movement.reserved_delta) == ("received", 5, 0)
    assert (movement.actor_id, movement.reason) == (actor, "delivery 12")


def test_deliveries_add_up():
    stocked("MUG", north=0)
    receive()
    receive(quantity=7)

    assert figures("MUG", "north") == (12, 0)
    assert Stock.objects.count() == 1
    assert_ledger_holds()


def test_an_adjustment_goes_both_ways():
    stocked("MUG", north=5)
    adjust(quantity=-2)
    adjust(quantity=4)

    assert figures("MUG", "north") == (7, 0)
    assert_ledger_holds()


def test_an_adjustment_stops_at_what_is_reserved():
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[placed(MUG=3)])
    adjust(quantity=-2)

    with pytest.raises(InvalidInput, match="3 are on hand and 3 of them reserved: at most 0 can go"):
        adjust(quantity=-1)

    assert figures("MUG", "north") == (3, 3)
    assert_ledger_holds()


def test_a_transfer_takes_from_one_and_gives_to_the_other():
    stocked("MUG", north=5, south=0)

    outgoing, incoming = transfer()

    assert (outgoing.on_hand, incoming.on_hand) == (2, 3)
    assert (figures("MUG", "north"), figures("MUG", "south")) == ((2, 0), (3, 0))
    assert sorted(Movement.objects.filter(kind="transferred").values_list("on_hand_delta", flat=True)) == [-3, 3]
    assert_ledger_holds()


def test_reserved_units_are_not_transferred():
    stocked("MUG", north=5, south=0)
    operations.reserve_stock(orders=[placed(MUG=3)])

    with pytest.raises(InvalidInput) as refusal:
        transfer(quantity=3)

    assert [error.field for error in refusal.value.errors] == ["quantity"]
    assert figures("MUG", "north") == (5, 3)
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
def test_what_cannot_be_is_refused_by_field_and_changes_nothing(operation, changes, fields):
    stocked("MUG", north=5, south=0)
    before = list(Stock.objects.values_list("location__code", "on_hand", "reserved"))

    with pytest.raises(InvalidInput) as refusal:
        operation(**changes)

    assert [error.field for error in refusal.value.errors] == fields
    assert list(Stock.objects.values_list("location__code", "on_hand", "reserved")) == before
    assert Movement.objects.count() == 1


def test_the_most_that_can_be_received_at_once_can_be_received_often():
    stocked("MUG", north=0)
    for _ in range(5):
        receive(quantity=MOST)

    assert figures("MUG", "north") == (5 * MOST, 0)
    assert_ledger_holds()


def test_a_person_is_cause_enough_to_receive():
    stocked("MUG", north=0)
    receive(reason="", actor_id=uuid7())

    assert figures("MUG", "north") == (5, 0)
