import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from inventory import operations
from inventory.models import Allocation, Movement, Reservation
from project.events import Line, OrderPlaced, StockRejected, StockReserved
from tests.inventory.helpers import CUSTOMER, assert_ledger_holds, cancelled, figures, held, placed, state, stocked

pytestmark = pytest.mark.django_db


def test_an_order_that_can_be_met_is_reserved_and_said_so(published):
    stocked("MUG", north=10)
    order = placed(MUG=3)

    operations.reserve_stock(orders=[order])

    assert figures("MUG", "north") == (10, 3)
    assert held(order) == {("MUG", "north"): 3}
    assert state(order) == "reserved"
    assert [event.order_id for event in published(StockReserved)] == [order.order_id]
    assert published(StockRejected) == []
    assert_ledger_holds()


def test_the_movement_names_the_order_and_the_event(published):
    stocked("MUG", north=10)
    order = placed(MUG=3)

    operations.reserve_stock(orders=[order])

    movement = Movement.objects.get(kind="reserved")
    assert (movement.order_id, movement.event_id) == (order.order_id, order.id)
    assert (movement.on_hand_delta, movement.reserved_delta) == (0, 3)
    assert (movement.on_hand_after, movement.reserved_after) == (10, 3)


def test_one_short_line_rejects_the_whole_order_and_names_the_sku(published):
    stocked("MUG", north=10)
    stocked("TEE", north=1)
    order = placed(MUG=3, TEE=2)

    operations.reserve_stock(orders=[order])

    assert figures("MUG", "north") == (10, 0)
    assert figures("TEE", "north") == (1, 0)
    assert state(order) == "rejected"
    (event,) = published(StockRejected)
    assert event.order_id == order.order_id
    assert event.reason == "not enough stock of TEE"
    assert published(StockReserved) == []
    assert not Reservation.objects.exists()


def test_an_unknown_sku_is_short(published):
    operations.reserve_stock(orders=[placed(GHOST=1)])

    assert [event.reason for event in published(StockRejected)] == ["not enough stock of GHOST"]


def test_a_rejection_of_many_products_names_some_and_counts_the_rest(published):
    operations.reserve_stock(orders=[placed(**{f"S{number}": 1 for number in range(100)})])

    assert [event.reason for event in published(StockRejected)] == ["not enough stock of S0, S1, S2 and 97 more"]


def test_a_line_is_split_over_locations_by_priority():
    stocked("MUG", first=2, second=5, third=5)
    order = placed(MUG=6)

    operations.reserve_stock(orders=[order])

    assert held(order) == {("MUG", "first"): 2, ("MUG", "second"): 4}


def test_an_inactive_location_gives_nothing():
    stocked("MUG", shut=5, open=5).stock.get(location__code="shut").location.__class__.objects.filter(
        code="shut"
    ).update(active=False)
    order, too_big = placed(MUG=5), placed(MUG=6)

    operations.reserve_stock(orders=[too_big, order])

    assert held(order) == {("MUG", "open"): 5}
    assert state(too_big) == "rejected"


def test_a_batch_of_100_orders_for_50_units_gets_exactly_50(published):
    stocked("MUG", north=30, south=20)
    orders = [placed(MUG=1) for _ in range(100)]

    operations.reserve_stock(orders=orders)

    assert [event.order_id for event in published(StockReserved)] == [order.order_id for order in orders[:50]]
    assert [event.order_id for event in published(StockRejected)] == [order.order_id for order in orders[50:]]
    assert figures("MUG", "north") == (30, 30)
    assert figures("MUG", "south") == (20, 20)
    assert_ledger_holds()


def test_a_smaller_order_may_get_what_a_bigger_one_before_it_could_not():
    stocked("MUG", north=5)
    big, small = placed(MUG=6), placed(MUG=5)

    operations.reserve_stock(orders=[big, small])

    assert (state(big), state(small)) == ("rejected", "reserved")


def test_lines_of_the_same_sku_are_counted_together():
    stocked("MUG", north=5)
    order = OrderPlaced(
        order_id=uuid7(), customer_id=CUSTOMER, lines=[Line(sku="MUG", quantity=3), Line(sku="MUG", quantity=3)]
    )

    operations.reserve_stock(orders=[order])

    assert state(order) == "rejected"


@pytest.mark.parametrize("times", [2, 5])
def test_an_order_delivered_again_reserves_once(times, published):
    stocked("MUG", north=10)
    order = placed(MUG=3)

    operations.reserve_stock(orders=[order] * times)
    for _ in range(times):
        operations.reserve_stock(orders=[order])

    assert figures("MUG", "north") == (10, 3)
    assert len(published(StockReserved)) == 1


def test_two_events_of_one_order_reserve_once_and_the_first_counts(published):
    stocked("MUG", north=10)
    first = placed(MUG=3)
    second = placed(first.order_id, MUG=3)

    operations.reserve_stock(orders=[first, second])

    assert Allocation.objects.get().event_id == first.id
    assert figures("MUG", "north") == (10, 3)
    assert len(published(StockReserved)) == 1


@pytest.mark.parametrize("quantity", [0, -1])
def test_an_order_for_less_than_one_unit_is_an_error_and_changes_nothing(quantity, published):
    stocked("MUG", north=10)
    good, bad = placed(MUG=1), placed(MUG=quantity)

    with pytest.raises(ValueError, match=f"{bad.order_id} asks for {quantity} units of MUG"):
        operations.reserve_stock(orders=[good, bad])

    assert not Allocation.objects.exists()
    assert published(StockReserved) == []


def test_more_units_than_any_column_holds_are_simply_not_there():
    stocked("MUG", north=10)
    order = placed(MUG=10**30)

    operations.reserve_stock(orders=[order])

    assert state(order) == "rejected"


def test_no_orders_are_no_trouble(published):
    operations.reserve_stock(orders=[])
    operations.release_stock(cancelled=[])

    assert published() == []


def test_a_cancelled_order_gives_back_what_it_held():
    stocked("MUG", first=2, second=5)
    stocked("TEE", first=1)
    order = placed(MUG=6, TEE=1)
    operations.reserve_stock(orders=[order])

    operations.release_stock(cancelled=[cancelled(order)])

    assert [figures("MUG", "first"), figures("MUG", "second"), figures("TEE", "first")] == [(2, 0), (5, 0), (1, 0)]
    assert held(order) == {}
    assert state(order) == "cancelled"
    assert_ledger_holds()


def test_a_release_names_the_cancel_as_its_cause():
    stocked("MUG", north=10)
    order = placed(MUG=3)
    operations.reserve_stock(orders=[order])
    cancel = cancelled(order)

    operations.release_stock(cancelled=[cancel])

    movement = Movement.objects.get(kind="released")
    assert (movement.order_id, movement.event_id, movement.reserved_delta) == (order.order_id, cancel.id, -3)
    assert Allocation.objects.get().event_id == cancel.id


def test_a_cancel_delivered_again_releases_once():
    stocked("MUG", north=10)
    order, other = placed(MUG=3), placed(MUG=4)
    operations.reserve_stock(orders=[order, other])
    cancel = cancelled(order)

    operations.release_stock(cancelled=[cancel, cancel, cancelled(order)])
    operations.release_stock(cancelled=[cancel])

    assert figures("MUG", "north") == (10, 4)
    assert Movement.objects.filter(kind="released").count() == 1


def test_a_cancel_that_overtakes_its_order_leaves_nothing_reserved(published):
    stocked("MUG", north=10)
    order = placed(MUG=3)

    operations.release_stock(cancelled=[cancelled(order)])
    operations.reserve_stock(orders=[order])

    assert figures("MUG", "north") == (10, 0)
    assert state(order) == "cancelled"
    assert published(StockReserved) == published(StockRejected) == []


def test_a_rejected_order_that_is_cancelled_gives_nothing_back():
    stocked("MUG", north=1)
    order = placed(MUG=3)
    operations.reserve_stock(orders=[order])

    operations.release_stock(cancelled=[cancelled(order)])

    assert state(order) == "cancelled"
    assert figures("MUG", "north") == (1, 0)


def test_many_orders_of_one_stock_row_are_released_together():
    stocked("MUG", north=100)
    orders = [placed(MUG=number % 3 + 1) for number in range(30)]
    operations.reserve_stock(orders=orders)

    operations.release_stock(cancelled=[cancelled(order) for order in orders[:29]])

    assert figures("MUG", "north") == (100, 3)
    assert_ledger_holds()


def statements(function, **arguments) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        function(**arguments)
    return len(captured)


RESERVING = {"postgresql": 4, "sqlite": 7}[connection.vendor]
SAVEPOINT = 2  # of the operation's own transaction, inside that of the test


@pytest.mark.parametrize(("orders", "lines"), [(1, 1), (100, 1), (100, 30)])
def test_a_batch_is_reserved_and_released_with_a_fixed_number_of_statements(orders, lines):
    skus = [f"S{number}" for number in range(lines)]
    for sku in skus:
        stocked(sku, north=50, south=1_000)
    batch = [placed(**dict.fromkeys(skus, 2)) for _ in range(orders)]

    # allocations; stock; its figures, movements, reservations (at once on PostgreSQL); events, deliveries (likewise)
    assert statements(operations.reserve_stock, orders=batch) == RESERVING + SAVEPOINT
    # allocations inserted, locked; what they hold; stock; its figures, movements (likewise); reservations; allocations
    released = statements(operations.release_stock, cancelled=[cancelled(order) for order in batch])
    assert released == {"postgresql": 7, "sqlite": 8}[connection.vendor] + SAVEPOINT
    assert_ledger_holds()


@pytest.mark.parametrize("orders", [2, 100])
def test_a_batch_of_which_half_is_rejected_takes_one_statement_more(orders):
    stocked("MUG", north=orders // 2)
    batch = [placed(MUG=1) for _ in range(orders)]

    assert statements(operations.reserve_stock, orders=batch) == RESERVING + 1 + SAVEPOINT
