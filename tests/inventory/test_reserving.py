import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Allocation, Location, Movement, Reservation
from project.events import Line, OrderPlaced, StockRejected, StockReserved
from tests.inventory.helpers import (
    CUSTOMER,
    allocation_state,
    assert_ledger_holds,
    cancellation_of,
    order_for,
    reserved_units,
    stock_figures,
    stocked,
)

pytestmark = pytest.mark.django_db


def test_order_with_sufficient_stock_is_reserved_and_announced(published):
    stocked("MUG", north=10)
    order = order_for(MUG=3)

    operations.reserve_stock(orders=[order])

    assert stock_figures("MUG", "north") == (10, 3)
    assert reserved_units(order) == {("MUG", "north"): 3}
    assert allocation_state(order) == "reserved"
    assert [event.order_id for event in published(StockReserved)] == [order.order_id]
    assert published(StockRejected) == []
    assert_ledger_holds()


def test_movement_names_the_order_and_the_event(published):
    stocked("MUG", north=10)
    order = order_for(MUG=3)

    operations.reserve_stock(orders=[order])

    movement = Movement.objects.get(kind="reserved")
    assert (movement.order_id, movement.event_id) == (order.order_id, order.id)
    assert (movement.on_hand_delta, movement.reserved_delta) == (0, 3)
    assert (movement.on_hand_after, movement.reserved_after) == (10, 3)


def test_one_line_without_stock_rejects_the_whole_order_and_names_the_sku(published):
    stocked("MUG", north=10)
    stocked("TEE", north=1)
    order = order_for(MUG=3, TEE=2)

    operations.reserve_stock(orders=[order])

    assert stock_figures("MUG", "north") == (10, 0)
    assert stock_figures("TEE", "north") == (1, 0)
    assert allocation_state(order) == "rejected"
    (event,) = published(StockRejected)
    assert event.order_id == order.order_id
    assert event.reason == "not enough stock of TEE"
    assert published(StockReserved) == []
    assert not Reservation.objects.exists()


def test_unknown_sku_is_rejected(published):
    operations.reserve_stock(orders=[order_for(GHOST=1)])

    assert [event.reason for event in published(StockRejected)] == ["not enough stock of GHOST"]


def test_rejection_of_many_products_names_three_and_counts_the_rest(published):
    operations.reserve_stock(orders=[order_for(**{f"S{number}": 1 for number in range(100)})])

    assert [event.reason for event in published(StockRejected)] == ["not enough stock of S0, S1, S2 and 97 more"]


def test_line_is_split_over_locations_by_priority():
    stocked("MUG", first=2, second=5, third=5)
    order = order_for(MUG=6)

    operations.reserve_stock(orders=[order])

    assert reserved_units(order) == {("MUG", "first"): 2, ("MUG", "second"): 4}


def test_inactive_location_is_not_used():
    stocked("MUG", shut=5, open=5)
    Location.objects.filter(code="shut").update(active=False)
    order, too_big = order_for(MUG=5), order_for(MUG=6)

    operations.reserve_stock(orders=[too_big, order])

    assert reserved_units(order) == {("MUG", "open"): 5}
    assert allocation_state(too_big) == "rejected"


def test_batch_of_100_orders_for_50_units_reserves_exactly_50(published):
    stocked("MUG", north=30, south=20)
    orders = [order_for(MUG=1) for _ in range(100)]

    operations.reserve_stock(orders=orders)

    assert [event.order_id for event in published(StockReserved)] == [order.order_id for order in orders[:50]]
    assert [event.order_id for event in published(StockRejected)] == [order.order_id for order in orders[50:]]
    assert stock_figures("MUG", "north") == (30, 30)
    assert stock_figures("MUG", "south") == (20, 20)
    assert_ledger_holds()


def test_small_order_is_reserved_after_a_larger_order_was_rejected():
    stocked("MUG", north=5)
    big, small = order_for(MUG=6), order_for(MUG=5)

    operations.reserve_stock(orders=[big, small])

    assert (allocation_state(big), allocation_state(small)) == ("rejected", "reserved")


def test_lines_of_the_same_sku_are_added_up():
    stocked("MUG", north=5)
    order = OrderPlaced(
        order_id=uuid7(), customer_id=CUSTOMER, lines=[Line(sku="MUG", quantity=3), Line(sku="MUG", quantity=3)]
    )

    operations.reserve_stock(orders=[order])

    assert allocation_state(order) == "rejected"


@pytest.mark.parametrize("times", [2, 5])
def test_repeated_order_placed_reserves_once(times, published):
    stocked("MUG", north=10)
    order = order_for(MUG=3)

    operations.reserve_stock(orders=[order] * times)
    for _ in range(times):
        operations.reserve_stock(orders=[order])

    assert stock_figures("MUG", "north") == (10, 3)
    assert len(published(StockReserved)) == 1


def test_two_events_of_one_order_reserve_once_for_the_first(published):
    stocked("MUG", north=10)
    first = order_for(MUG=3)
    second = order_for(first.order_id, MUG=3)

    operations.reserve_stock(orders=[first, second])

    assert Allocation.objects.get().event_id == first.id
    assert stock_figures("MUG", "north") == (10, 3)
    assert len(published(StockReserved)) == 1


@pytest.mark.parametrize("quantity", [0, -1])
def test_order_for_less_than_one_unit_raises_and_changes_nothing(quantity, published):
    stocked("MUG", north=10)
    good, bad = order_for(MUG=1), order_for(MUG=quantity)

    with pytest.raises(ValueError, match=f"{bad.order_id} asks for {quantity} units of MUG"):
        operations.reserve_stock(orders=[good, bad])

    assert not Allocation.objects.exists()
    assert published(StockReserved) == []


def test_quantity_beyond_the_column_range_is_rejected():
    stocked("MUG", north=10)
    order = order_for(MUG=10**30)

    operations.reserve_stock(orders=[order])

    assert allocation_state(order) == "rejected"


def test_empty_batches_do_nothing(published):
    operations.reserve_stock(orders=[])
    operations.release_stock(cancelled=[])

    assert published() == []


def test_cancelled_order_releases_its_units():
    stocked("MUG", first=2, second=5)
    stocked("TEE", first=1)
    order = order_for(MUG=6, TEE=1)
    operations.reserve_stock(orders=[order])

    operations.release_stock(cancelled=[cancellation_of(order)])

    assert [stock_figures("MUG", "first"), stock_figures("MUG", "second"), stock_figures("TEE", "first")] == [
        (2, 0),
        (5, 0),
        (1, 0),
    ]
    assert reserved_units(order) == {}
    assert allocation_state(order) == "cancelled"
    assert_ledger_holds()


def test_release_names_the_order_cancelled_event():
    stocked("MUG", north=10)
    order = order_for(MUG=3)
    operations.reserve_stock(orders=[order])
    cancel = cancellation_of(order)

    operations.release_stock(cancelled=[cancel])

    movement = Movement.objects.get(kind="released")
    assert (movement.order_id, movement.event_id, movement.reserved_delta) == (order.order_id, cancel.id, -3)
    assert Allocation.objects.get().event_id == cancel.id


def test_repeated_order_cancelled_releases_once():
    stocked("MUG", north=10)
    order, other = order_for(MUG=3), order_for(MUG=4)
    operations.reserve_stock(orders=[order, other])
    cancel = cancellation_of(order)

    operations.release_stock(cancelled=[cancel, cancel, cancellation_of(order)])
    operations.release_stock(cancelled=[cancel])

    assert stock_figures("MUG", "north") == (10, 4)
    assert Movement.objects.filter(kind="released").count() == 1


def test_order_placed_after_its_order_cancelled_reserves_nothing(published):
    stocked("MUG", north=10)
    order = order_for(MUG=3)

    operations.release_stock(cancelled=[cancellation_of(order)])
    operations.reserve_stock(orders=[order])

    assert stock_figures("MUG", "north") == (10, 0)
    assert allocation_state(order) == "cancelled"
    assert published(StockReserved) == published(StockRejected) == []


def test_cancelling_a_rejected_order_releases_nothing():
    stocked("MUG", north=1)
    order = order_for(MUG=3)
    operations.reserve_stock(orders=[order])

    operations.release_stock(cancelled=[cancellation_of(order)])

    assert allocation_state(order) == "cancelled"
    assert stock_figures("MUG", "north") == (1, 0)


def test_many_orders_of_one_stock_row_are_released_in_one_batch():
    stocked("MUG", north=100)
    orders = [order_for(MUG=number % 3 + 1) for number in range(30)]
    operations.reserve_stock(orders=orders)

    operations.release_stock(cancelled=[cancellation_of(order) for order in orders[:29]])

    assert stock_figures("MUG", "north") == (100, 3)
    assert_ledger_holds()


def count_statements(function, **arguments) -> int:
    with CaptureQueriesContext(connection) as captured:
        function(**arguments)
    return len(captured)


RESERVING = {"postgresql": 4, "sqlite": 7}[connection.vendor]
SAVEPOINT = 2  # of the operation's own transaction, within that of the test


@pytest.mark.parametrize(("orders", "lines"), [(1, 1), (100, 1), (100, 30)])
def test_batches_take_the_same_statements_for_any_number_of_orders_and_lines(orders, lines):
    skus = [f"S{number}" for number in range(lines)]
    for sku in skus:
        stocked(sku, north=50, south=1_000)
    batch = [order_for(**dict.fromkeys(skus, 2)) for _ in range(orders)]

    # Allocations; stock; figures, movements and reservations (one statement on PostgreSQL); events, deliveries (too).
    assert count_statements(operations.reserve_stock, orders=batch) == RESERVING + SAVEPOINT
    # Allocations inserted, locked; reservations read; stock; figures, movements (too); reservations; allocations.
    released = count_statements(operations.release_stock, cancelled=[cancellation_of(order) for order in batch])
    assert released == {"postgresql": 7, "sqlite": 8}[connection.vendor] + SAVEPOINT
    assert_ledger_holds()


@pytest.mark.parametrize("orders", [2, 100])
def test_batch_that_is_half_rejected_takes_one_statement_more(orders):
    stocked("MUG", north=orders // 2)
    batch = [order_for(MUG=1) for _ in range(orders)]

    assert count_statements(operations.reserve_stock, orders=batch) == RESERVING + 1 + SAVEPOINT
