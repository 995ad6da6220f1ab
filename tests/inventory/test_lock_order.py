"""Every operation takes its locks in one order, which is why none can deadlock with another.

Proved by standing in the way: the test holds the middle one of three rows, so an operation that wants all three stops
there. By then it must hold the first and must not hold the last, however its input is sorted.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction

from inventory import operations
from inventory.models import Allocation, Product, Stock
from tests.inventory.helpers import assert_ledger_holds, cancelled, placed, state, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite locks the whole database"),
]
turns = pytest.mark.parametrize("turn", [1, -1], ids=["sorted", "reversed"])


def held_on_the_way(*, attempt: Callable[[object], object], rows: list, operation: Callable[[], object]) -> list[bool]:
    """Which rows an operation holds while it waits for the middle one; it is then let go on to its end.

    `attempt` takes one row for the test, and fails after a moment if another transaction has it.
    """

    def run() -> None:
        try:
            operation()
        finally:
            connection.close()

    def is_held(row: object) -> bool:
        try:
            with transaction.atomic():
                attempt(row)
        except OperationalError:
            return True
        return False

    first, middle, last = rows
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            attempt(middle)
            done = pool.submit(run)
            deadline = time.monotonic() + 30
            while not somebody_waits_for_us():
                assert not done.done(), "it waited for nothing"
                assert time.monotonic() < deadline, "it never came to wait"
                time.sleep(0.01)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
            held = [is_held(first), is_held(last)]
            transaction.set_rollback(True)
        done.result(timeout=60)
    return held


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0


def insert_allocation(order_id: object) -> None:
    Allocation.objects.create(order_id=order_id, state="reserved", event_id=order_id)


def lock_allocation(order_id: object) -> None:
    Allocation.objects.select_for_update().get(pk=order_id)


def lock_stock(pk: object) -> None:
    Stock.objects.select_for_update().get(pk=pk)


def three_orders() -> list:
    """Three orders for what there is, first to last by id."""
    stocked("MUG", north=10)
    return sorted((placed(MUG=1) for _ in range(3)), key=lambda order: order.order_id)


def three_stock_rows() -> list[int]:
    """Three rows, first to last by id, of the products C, B and A."""
    for sku in ("C", "B", "A"):
        stocked(sku, north=10)
    return list(Stock.objects.order_by("pk").values_list("pk", flat=True))


@turns
def test_reserving_inserts_allocations_by_order_id(turn):
    orders = three_orders()
    ids = [order.order_id for order in orders]
    reserve = partial(operations.reserve_stock, orders=orders[::turn])

    assert held_on_the_way(attempt=insert_allocation, rows=ids, operation=reserve) == [True, False]
    assert [state(order) for order in orders] == ["reserved"] * 3


@turns
def test_releasing_inserts_tombstones_by_order_id(turn):
    orders = three_orders()
    ids = [order.order_id for order in orders]
    release = partial(operations.release_stock, cancelled=[cancelled(order) for order in orders[::turn]])

    assert held_on_the_way(attempt=insert_allocation, rows=ids, operation=release) == [True, False]
    assert [state(order) for order in orders] == ["cancelled"] * 3


@turns
def test_releasing_locks_allocations_by_order_id(turn):
    orders = three_orders()
    operations.reserve_stock(orders=orders[::-turn])
    ids = [order.order_id for order in orders]
    release = partial(operations.release_stock, cancelled=[cancelled(order) for order in orders[::turn]])

    assert held_on_the_way(attempt=lock_allocation, rows=ids, operation=release) == [True, False]
    assert [state(order) for order in orders] == ["cancelled"] * 3


@turns
def test_reserving_locks_stock_by_id(turn):
    rows = three_stock_rows()
    order = placed(**dict.fromkeys(["A", "B", "C"][::turn], 1))

    reserve = partial(operations.reserve_stock, orders=[order])
    assert held_on_the_way(attempt=lock_stock, rows=rows, operation=reserve) == [True, False]
    assert state(order) == "reserved"
    assert_ledger_holds()


@turns
def test_releasing_locks_stock_by_id(turn):
    rows = three_stock_rows()
    order = placed(**dict.fromkeys(["A", "B", "C"][::turn], 1))
    operations.reserve_stock(orders=[order])

    release = partial(operations.release_stock, cancelled=[cancelled(order)])
    assert held_on_the_way(attempt=lock_stock, rows=rows, operation=release) == [True, False]
    assert state(order) == "cancelled"
    assert_ledger_holds()


@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a")])
def test_a_transfer_locks_stock_by_id(source, target):
    stocked("MUG", a=5, b=5, c=5)
    first, second, third = Stock.objects.order_by("pk").values_list("pk", flat=True)
    move = partial(
        operations.transfer_stock, sku="MUG", source=source, target=target, quantity=1, reason="closer to customers"
    )

    # It wants the first two; the test holds the second.
    assert held_on_the_way(attempt=lock_stock, rows=[first, second, third], operation=move) == [True, False]
    assert_ledger_holds()


def importing(skus: list[str]) -> Callable[[], None]:
    """Receive a unit of each, of products that are added if they are new."""
    arrivals = [
        operations.Arrival(
            line=line, sku=sku, location="north", quantity=1, reason="x", name=f"The {sku}", price=Decimal("9.90")
        )
        for line, sku in enumerate(skus)
    ]
    return partial(operations.receive_arrivals, inspection=operations.inspect_arrivals(arrivals=arrivals))


def insert_product(sku: object) -> None:
    Product.objects.create(sku=sku, name="Mine", price=1)


@turns
def test_an_import_locks_stock_by_id(turn):
    rows = three_stock_rows()
    receive = importing(["A", "B", "C"][::turn])

    assert held_on_the_way(attempt=lock_stock, rows=rows, operation=receive) == [True, False]
    assert set(Stock.objects.values_list("on_hand", flat=True)) == {11}
    assert_ledger_holds()


def supplying(skus: list[str]) -> Callable[[], None]:
    """See that there is a unit of each, of products that are added if they are new."""
    wanted = [operations.Supply(sku=sku, name=f"The {sku}", price=Decimal("9.90"), units=1) for sku in skus]
    return partial(operations.supply, wanted=wanted, location="north", reason="x")


@turns
@pytest.mark.parametrize("many", [importing, supplying])
def test_products_that_come_in_numbers_are_inserted_by_sku(many, turn):
    operations.add_location(code="north", name="North")
    insert = many(["A", "B", "C"][::turn])

    assert held_on_the_way(attempt=insert_product, rows=["A", "B", "C"], operation=insert) == [True, False]
    assert set(Product.objects.values_list("name", flat=True)) == {"The A", "The B", "The C"}
    assert_ledger_holds()
