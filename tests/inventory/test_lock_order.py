"""Every operation takes its locks in the same order, so no two operations can deadlock.

Each test locks the middle one of three rows, so an operation that needs all three waits there. It must then hold the
lock of the first row and not that of the last, however its input is sorted.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import TypeVar
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from inventory import operations
from inventory.models import Allocation, Product, Stock
from project.events import OrderPlaced
from tests.inventory.helpers import allocation_state, assert_ledger_holds, cancellation_of, order_for, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite locks the whole database"),
]
Key = TypeVar("Key")
both_directions = pytest.mark.parametrize("direction", [1, -1], ids=["sorted", "reversed"])


def locks_held_while_waiting(
    *, lock: Callable[[Key], object], rows: Sequence[Key], operation: Callable[[], object]
) -> list[bool]:
    """Whether an operation holds the locks of the first and the last row while it waits for the middle one.

    `lock` locks one row for the test; it fails after a lock timeout if another transaction holds it. Afterwards the
    operation runs to its end.
    """

    def run() -> None:
        try:
            operation()
        finally:
            connection.close()

    def is_held(row: Key) -> bool:
        try:
            with transaction.atomic():
                lock(row)
        except OperationalError:
            return True
        return False

    first, middle, last = rows
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock(middle)
            done = pool.submit(run)
            deadline = time.monotonic() + 30
            while not another_transaction_waits_for_ours():
                assert not done.done(), "the operation ended without waiting"
                assert time.monotonic() < deadline, "the operation never waited for the middle row"
                time.sleep(0.01)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
            held = [is_held(first), is_held(last)]
            transaction.set_rollback(True)
        done.result(timeout=60)
    return held


def another_transaction_waits_for_ours() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        (waiting,) = cursor.fetchone()
    return bool(waiting)


def insert_allocation(order_id: UUID) -> None:
    Allocation.objects.create(order_id=order_id, state="reserved", event_id=order_id)


def lock_allocation(order_id: UUID) -> None:
    Allocation.objects.select_for_update().get(pk=order_id)


def lock_stock(pk: int) -> None:
    Stock.objects.select_for_update().get(pk=pk)


def three_orders() -> list[OrderPlaced]:
    """Three orders that the stock suffices for, sorted by order id."""
    stocked("MUG", north=10)
    return sorted((order_for(MUG=1) for _ in range(3)), key=lambda order: order.order_id)


def three_stock_rows() -> list[int]:
    """The ids of three stock rows, of the products C, B and A, in ascending order."""
    for sku in ("C", "B", "A"):
        stocked(sku, north=10)
    return list(Stock.objects.order_by("pk").values_list("pk", flat=True))


@both_directions
def test_reserving_inserts_allocations_by_order_id(direction):
    orders = three_orders()
    ids = [order.order_id for order in orders]
    reserve = partial(operations.reserve_stock, orders=orders[::direction])

    assert locks_held_while_waiting(lock=insert_allocation, rows=ids, operation=reserve) == [True, False]
    assert [allocation_state(order) for order in orders] == ["reserved"] * 3


@both_directions
def test_releasing_inserts_tombstones_by_order_id(direction):
    orders = three_orders()
    ids = [order.order_id for order in orders]
    release = partial(operations.release_stock, cancelled=[cancellation_of(order) for order in orders[::direction]])

    assert locks_held_while_waiting(lock=insert_allocation, rows=ids, operation=release) == [True, False]
    assert [allocation_state(order) for order in orders] == ["cancelled"] * 3


@both_directions
def test_releasing_locks_allocations_by_order_id(direction):
    orders = three_orders()
    operations.reserve_stock(orders=orders[::-direction])
    ids = [order.order_id for order in orders]
    release = partial(operations.release_stock, cancelled=[cancellation_of(order) for order in orders[::direction]])

    assert locks_held_while_waiting(lock=lock_allocation, rows=ids, operation=release) == [True, False]
    assert [allocation_state(order) for order in orders] == ["cancelled"] * 3


@both_directions
def test_reserving_locks_stock_by_id(direction):
    rows = three_stock_rows()
    order = order_for(**dict.fromkeys(["A", "B", "C"][::direction], 1))

    reserve = partial(operations.reserve_stock, orders=[order])
    assert locks_held_while_waiting(lock=lock_stock, rows=rows, operation=reserve) == [True, False]
    assert allocation_state(order) == "reserved"
    assert_ledger_holds()


@both_directions
def test_releasing_locks_stock_by_id(direction):
    rows = three_stock_rows()
    order = order_for(**dict.fromkeys(["A", "B", "C"][::direction], 1))
    operations.reserve_stock(orders=[order])

    release = partial(operations.release_stock, cancelled=[cancellation_of(order)])
    assert locks_held_while_waiting(lock=lock_stock, rows=rows, operation=release) == [True, False]
    assert allocation_state(order) == "cancelled"
    assert_ledger_holds()


@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a")])
def test_transferring_locks_stock_by_id(source, target):
    stocked("MUG", a=5, b=5, c=5)
    first, second, third = Stock.objects.order_by("pk").values_list("pk", flat=True)
    transfer = partial(
        operations.transfer_stock, sku="MUG", source=source, target=target, quantity=1, reason="closer to customers"
    )

    # It needs the first two rows; the test locks the second.
    assert locks_held_while_waiting(lock=lock_stock, rows=[first, second, third], operation=transfer) == [True, False]
    assert_ledger_holds()


def importing(skus: list[str]) -> Callable[[], None]:
    """Import a unit of each product; missing products are added."""
    arrivals = [
        operations.Arrival(
            line=line, sku=sku, location="north", quantity=1, reason="x", name=f"The {sku}", price=Decimal("9.90")
        )
        for line, sku in enumerate(skus)
    ]
    return partial(operations.receive_arrivals, inspection=operations.inspect_arrivals(arrivals=arrivals))


def insert_product(sku: str) -> None:
    Product.objects.create(sku=sku, name="Mine", price=1)


@both_directions
def test_importing_locks_stock_by_id(direction):
    rows = three_stock_rows()
    receive = importing(["A", "B", "C"][::direction])

    assert locks_held_while_waiting(lock=lock_stock, rows=rows, operation=receive) == [True, False]
    assert set(Stock.objects.values_list("on_hand", flat=True)) == {11}
    assert_ledger_holds()


def supplying(skus: list[str]) -> Callable[[], None]:
    """Supply a unit of each product; missing products are added."""
    wanted = [operations.Supply(sku=sku, name=f"The {sku}", price=Decimal("9.90"), units=1) for sku in skus]
    return partial(operations.supply, wanted=wanted, location="north", reason="x")


@both_directions
@pytest.mark.parametrize("insert_products", [importing, supplying])
def test_importing_and_supplying_insert_products_by_sku(insert_products, direction):
    operations.add_location(code="north", name="North")
    insert = insert_products(["A", "B", "C"][::direction])

    assert locks_held_while_waiting(lock=insert_product, rows=["A", "B", "C"], operation=insert) == [True, False]
    assert set(Product.objects.values_list("name", flat=True)) == {"The A", "The B", "The C"}
    assert_ledger_holds()
