"""Supplying many products, each up to the wanted number of units."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import operations
from inventory.models import Location, Movement, Product
from inventory.operations import Supply
from inventory.operations.stock import MAX_UNITS
from project.errors import InvalidInput
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds, order_for, stock_figures, stocked

pytestmark = pytest.mark.django_db


def wanted(**units: int) -> list[Supply]:
    return [Supply(sku=sku, name=f"New {sku}", price=Decimal("2.50"), units=number) for sku, number in units.items()]


def supply(location: str = "north", /, **units: int) -> None:
    operations.supply(wanted=wanted(**units), location=location, reason="for a test")


def test_missing_products_are_added_announced_and_received(published):
    stocked("MUG", north=0)
    supply(TEA=5, CUP=3)

    assert (stock_figures("TEA", "north"), stock_figures("CUP", "north")) == ((5, 0), (3, 0))
    events = published(ProductChanged)[1:]
    assert sorted((event.sku, event.name, event.price, event.sequence) for event in events) == [
        ("CUP", "New CUP", Decimal("2.50"), 1),
        ("TEA", "New TEA", Decimal("2.50"), 1),
    ]
    assert_ledger_holds()


def test_supplied_product_continues_its_sequence(published):
    stocked("MUG", north=0)
    supply(TEA=1)
    operations.change_product(sku="TEA", price=Decimal(3))
    assert [event.sequence for event in published(ProductChanged) if event.sku == "TEA"] == [1, 2]


def test_existing_product_is_unchanged_and_only_missing_units_are_received(published):
    stocked("MUG", north=4, south=3)
    operations.reserve_stock(orders=[order_for(MUG=5)])
    supply(MUG=10)

    # Two units were available, at any location.
    assert (stock_figures("MUG", "north"), stock_figures("MUG", "south")) == ((12, 4), (3, 1))
    assert Product.objects.get().name == "The MUG"
    assert len(published(ProductChanged)) == 1
    assert_ledger_holds()


def test_sufficient_stock_is_unchanged():
    stocked("MUG", north=4)
    supply(MUG=3)
    supply(MUG=0)
    assert stock_figures("MUG", "north") == (4, 0)
    assert Movement.objects.count() == 1


def test_units_at_inactive_locations_do_not_count():
    stocked("MUG", north=0, south=9)
    Location.objects.filter(code="south").update(active=False)
    supply(MUG=3)
    assert stock_figures("MUG", "north") == (3, 0)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"wanted": wanted(TEA=-1)}, ["units"]),
        ({"wanted": wanted(TEA=MAX_UNITS + 1)}, ["units"]),
        ({"location": "moon"}, ["location"]),
        ({"location": "south"}, ["location"]),
        ({"reason": " "}, ["reason"]),
        (
            {"wanted": [Supply(sku="T/A", name="", price=Decimal(-1), units=1), *wanted(CUP=1)]},
            ["name", "price", "sku"],
        ),
    ],
)
def test_invalid_arguments_name_their_fields_and_change_nothing(arguments, fields, published):
    stocked("MUG", north=0, south=0)
    Location.objects.filter(code="south").update(active=False)

    with pytest.raises(InvalidInput) as refusal:
        operations.supply(**{"wanted": wanted(TEA=1), "location": "north", "reason": "for a test"} | arguments)

    assert sorted(error.field for error in refusal.value.errors) == fields
    assert Product.objects.count() == len(published()) == 1
    assert not Movement.objects.exists()


def test_fifty_products_take_the_statements_of_one():
    stocked("MUG", north=0)
    statements = []
    for units in ({"TEA": 1}, {f"TEA-{number}": 2 for number in range(50)}):
        with CaptureQueriesContext(connection) as queries:
            supply(**units)
        statements.append(len(queries))
    assert Movement.objects.count() == 51
    assert statements[0] == statements[1]
