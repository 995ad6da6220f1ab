"""Many products at once, stocked up to what is wanted."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import operations
from inventory.models import Location, Movement, Product
from inventory.operations import Supply
from inventory.operations.stock import MOST
from project.api.errors import InvalidInput
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds, figures, placed, stocked

pytestmark = pytest.mark.django_db


def wanted(**units: int) -> list[Supply]:
    return [Supply(sku=sku, name=f"New {sku}", price=Decimal("2.50"), units=number) for sku, number in units.items()]


def supply(location: str = "north", **units: int) -> None:
    operations.supply(wanted=wanted(**units), location=location, reason="for a test")


def test_what_is_not_there_is_added_announced_and_received(published):
    stocked("MUG", north=0)
    supply(TEA=5, CUP=3)

    assert (figures("TEA", "north"), figures("CUP", "north")) == ((5, 0), (3, 0))
    events = published(ProductChanged)[1:]
    assert sorted((event.sku, event.name, event.price, event.sequence) for event in events) == [
        ("CUP", "New CUP", Decimal("2.50"), 1),
        ("TEA", "New TEA", Decimal("2.50"), 1),
    ]
    assert_ledger_holds()


def test_a_product_that_was_added_so_counts_its_changes_on(published):
    stocked("MUG", north=0)
    supply(TEA=1)
    operations.change_product(sku="TEA", price=Decimal(3))
    assert [event.sequence for event in published(ProductChanged) if event.sku == "TEA"] == [1, 2]


def test_what_is_there_stays_as_it_is_and_only_what_is_lacking_is_received(published):
    stocked("MUG", north=4, south=3)
    operations.reserve_stock(orders=[placed(MUG=5)])
    supply(MUG=10)

    # Two were available, of whichever location.
    assert (figures("MUG", "north"), figures("MUG", "south")) == ((12, 4), (3, 1))
    assert Product.objects.get().name == "The MUG"
    assert len(published(ProductChanged)) == 1
    assert_ledger_holds()


def test_more_than_is_wanted_stays_too():
    stocked("MUG", north=4)
    supply(MUG=3)
    supply(MUG=0)
    assert figures("MUG", "north") == (4, 0)
    assert Movement.objects.count() == 1


def test_units_at_a_location_that_orders_are_not_filled_from_do_not_count():
    stocked("MUG", north=0, south=9)
    Location.objects.filter(code="south").update(active=False)
    supply(MUG=3)
    assert figures("MUG", "north") == (3, 0)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"wanted": wanted(TEA=-1)}, ["units"]),
        ({"wanted": wanted(TEA=MOST + 1)}, ["units"]),
        ({"location": "moon"}, ["location"]),
        ({"location": "south"}, ["location"]),
        ({"reason": " "}, ["reason"]),
        (
            {"wanted": [Supply(sku="T/A", name="", price=Decimal(-1), units=1), *wanted(CUP=1)]},
            ["name", "price", "sku"],
        ),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_changes_nothing(arguments, fields, published):
    stocked("MUG", north=0, south=0)
    Location.objects.filter(code="south").update(active=False)

    with pytest.raises(InvalidInput) as refusal:
        operations.supply(**{"wanted": wanted(TEA=1), "location": "north", "reason": "for a test"} | arguments)

    assert sorted(error.field for error in refusal.value.errors) == fields
    assert Product.objects.count() == len(published()) == 1
    assert not Movement.objects.exists()


def test_it_takes_as_many_statements_for_fifty_as_for_one():
    stocked("MUG", north=0)
    statements = []
    for units in ({"TEA": 1}, {f"TEA-{number}": 2 for number in range(50)}):
        with CaptureQueriesContext(connection) as queries:
            supply(**units)
        statements.append(len(queries))
    assert Movement.objects.count() == 51
    assert statements[0] == statements[1]
