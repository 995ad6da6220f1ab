"""Concurrent operations, each on its own database connection."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from inventory import operations
from inventory.models import Allocation
from project.errors import InvalidInput
from tests.inventory.helpers import assert_ledger_holds, cancellation_of, order_for, stock_figures, stocked
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 4


def in_batches(events: Sequence, size: int, handle: Callable[[Sequence], None]) -> Callable[[], None]:
    def work() -> None:
        for first in range(0, len(events), size):
            handle(events[first : first + size])

    return work


def reserve(events: Sequence) -> None:
    operations.reserve_stock(orders=events)


def release(events: Sequence) -> None:
    operations.release_stock(cancelled=events)


@pytest.mark.parametrize("size", [1, 100])
def test_200_concurrent_orders_for_50_units_reserve_exactly_50(size):
    stocked("MUG", north=30, south=20)
    orders = [order_for(MUG=1) for _ in range(200)]

    at_once(*(in_batches(orders[number::PROCESSES], size, reserve) for number in range(PROCESSES)))

    assert Allocation.objects.filter(state="reserved").count() == 50
    assert Allocation.objects.filter(state="rejected").count() == 150
    assert [stock_figures("MUG", "north"), stock_figures("MUG", "south")] == [(30, 30), (20, 20)]
    assert_ledger_holds()


def test_the_same_orders_handled_concurrently_are_reserved_once():
    stocked("MUG", north=1_000)
    orders = [order_for(MUG=2) for _ in range(60)]
    shuffled = [random.sample(orders, len(orders)) for _ in range(PROCESSES)]

    at_once(*(in_batches(events, 20, reserve) for events in shuffled))

    assert stock_figures("MUG", "north") == (1_000, 120)
    assert_ledger_holds()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_concurrent_orders_cancels_and_transfers_do_not_deadlock(size):
    skus = [f"S{number}" for number in range(6)]
    for sku in skus:
        stocked(sku, north=40, south=40)
    # Orders list their products in random order, and cancels arrive while their orders are being reserved.
    orders = [order_for(**dict.fromkeys(random.sample(skus, 4), 1)) for _ in range(120)]
    cancelled_orders = random.sample(orders, 60)

    def transfers() -> None:
        for _ in range(15):
            for sku in random.sample(skus, len(skus)):
                with suppress(InvalidInput):  # all units may be reserved
                    operations.transfer_stock(sku=sku, source="south", target="north", quantity=1, reason="closer")

    at_once(
        in_batches(orders[:80], size, reserve),
        in_batches(orders[40:][::-1], size, reserve),
        in_batches([cancellation_of(order) for order in cancelled_orders], size, release),
        in_batches([cancellation_of(order) for order in cancelled_orders[::-1]], size, release),
        transfers,
    )

    kept = {order.order_id for order in orders} - {order.order_id for order in cancelled_orders}
    assert set(Allocation.objects.filter(state="cancelled").values_list("pk", flat=True)) == {
        order.order_id for order in cancelled_orders
    }
    assert set(Allocation.objects.filter(state__in=["reserved", "rejected"]).values_list("pk", flat=True)) == kept
    assert_ledger_holds()
