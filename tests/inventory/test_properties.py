"""Invariants 1, 2, 6 and 10 of the design, for any operations in any order."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import operations
from inventory.models import Allocation, Reservation, Stock
from project.errors import InvalidInput
from project.events import OrderPlaced
from tests.inventory.helpers import (
    assert_ledger_holds,
    cancellation_of,
    order_for,
    reserved_units,
    rolled_back,
    stocked,
)

pytestmark = pytest.mark.django_db

SKUS = ("MUG", "TEE")
PLACES = ("north", "south")

sku, place = st.sampled_from(SKUS), st.sampled_from(PLACES)
orders = st.lists(
    st.dictionaries(st.sampled_from((*SKUS, "GHOST")), st.integers(1, 6), min_size=1), min_size=1, max_size=6
)
order_numbers = st.lists(st.integers(0, 5), min_size=1, max_size=6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), sku, place, st.integers(1, 10)),
        st.tuples(st.just("adjust"), sku, place, st.integers(-10, 5)),
        st.tuples(st.just("transfer"), sku, place, st.integers(1, 5)),
        st.tuples(st.just("place"), order_numbers),
        st.tuples(st.just("cancel"), order_numbers),
    ),
    max_size=25,
)


def apply_step(step: tuple, placed_orders: list[OrderPlaced]) -> None:
    """Apply one step of a history. A refused step must change nothing; the caller then checks the ledger."""
    match step:
        case ("place", numbers):
            operations.reserve_stock(orders=[placed_orders[number % len(placed_orders)] for number in numbers])
        case ("cancel", numbers):
            cancels = [cancellation_of(placed_orders[number % len(placed_orders)]) for number in numbers]
            operations.release_stock(cancelled=cancels)
        case ("receive", sku, place, quantity):
            operations.receive_stock(sku=sku, location=place, quantity=quantity, reason="delivery")
        case ("adjust", sku, place, quantity):
            with suppress(InvalidInput):
                operations.adjust_stock(sku=sku, location=place, quantity=quantity, reason="count")
        case ("transfer", sku, place, quantity):
            target = PLACES[1 - PLACES.index(place)]
            with suppress(InvalidInput):
                operations.transfer_stock(sku=sku, source=place, target=target, quantity=quantity, reason="move")


def assert_all_or_nothing(placed_orders: list[OrderPlaced]) -> None:
    states = dict(Allocation.objects.values_list("pk", "state"))
    for order in placed_orders:
        units: Counter[str] = Counter()
        for (sku, _), quantity in reserved_units(order).items():
            units[sku] += quantity
        wanted = {line.sku: line.quantity for line in order.lines}
        assert dict(units) == (wanted if states.get(order.order_id) == "reserved" else {})


@settings(max_examples=40, deadline=None)
@given(history=steps, wanted=orders)
def test_ledger_is_consistent_after_every_step_of_any_history(history, wanted):
    with rolled_back():
        for number, sku in enumerate(SKUS):
            stocked(sku, north=8 * number, south=4)
        placed_orders = [order_for(**units) for units in wanted]
        for step in history:
            apply_step(step, placed_orders)
            assert_ledger_holds()
            assert_all_or_nothing(placed_orders)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[dict[str, int]], set[int], list[tuple[str, int]], int]:
    """Orders, the numbers of those that are cancelled, their events with repetitions in any order, and a batch size."""
    wanted = draw(st.lists(st.dictionaries(sku, st.integers(1, 6), min_size=1), min_size=1, max_size=6))
    numbers = range(len(wanted))
    cancels = draw(st.sets(st.sampled_from(numbers)))
    required = [("place", number) for number in numbers] + [("cancel", number) for number in sorted(cancels)]
    repeats = draw(st.lists(st.sampled_from(required), max_size=8))
    return wanted, cancels, draw(st.permutations(required + repeats)), draw(st.integers(1, 5))


@settings(max_examples=40, deadline=None)
@given(deliveries())
def test_deliveries_in_any_order_and_number_lead_to_the_same_state(drawn):
    wanted, cancels, events, batch = drawn
    with rolled_back():
        for sku in SKUS:
            stocked(sku, north=20, south=20)
        placed_orders = [order_for(**units) for units in wanted]
        while events:
            kind = events[0][0]
            size = 0
            while size < min(batch, len(events)) and events[size][0] == kind:
                size += 1
            apply_step((kind, [number for _, number in events[:size]]), placed_orders)
            events = events[size:]

        expected: Counter[str] = Counter()
        for number, order in enumerate(placed_orders):
            assert Allocation.objects.get(pk=order.order_id).state == ("cancelled" if number in cancels else "reserved")
            if number not in cancels:
                expected.update(wanted[number])
        reserved: Counter[str] = Counter()
        for stock in Stock.objects.select_related("product"):
            reserved[stock.product.sku] += stock.reserved
        assert +reserved == expected
        assert_all_or_nothing(placed_orders)
        assert_ledger_holds()


@settings(max_examples=40, deadline=None)
@given(wanted=orders, undo=st.lists(st.permutations(range(6)), min_size=1, max_size=3))
def test_cancelling_every_order_restores_every_stock_row(wanted, undo):
    with rolled_back():
        for sku in SKUS:
            stocked(sku, north=7, south=5)
        before = list(Stock.objects.order_by("id").values_list("id", "on_hand", "reserved"))
        placed_orders = [order_for(**units) for units in wanted]
        operations.reserve_stock(orders=placed_orders)
        for numbers in undo:
            apply_step(("cancel", numbers), placed_orders)

        assert list(Stock.objects.order_by("id").values_list("id", "on_hand", "reserved")) == before
        assert not Reservation.objects.filter(state="active").exists()
        assert_ledger_holds()
