"""Several at once, each with a connection of its own."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from inventory import operations
from inventory.models import Allocation
from project.api.errors import InvalidInput
from tests.inventory.helpers import assert_ledger_holds, cancelled, figures, placed, stocked
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
def test_200_orders_at_once_for_50_units_get_exactly_50(size):
    stocked("MUG", north=30, south=20)
    orders = [placed(MUG=1) for _ in range(200)]

    at_once(*(in_batches(orders[number::PROCESSES], size, reserve) for number in range(PROCESSES)))

    assert Allocation.objects.filter(state="reserved").count() == 50
    assert Allocation.objects.filter(state="rejected").count() == 150
    assert [figures("MUG", "north"), figures("MUG", "south")] == [(30, 30), (20, 20)]
    assert_ledger_holds()


def test_the_same_orders_at_once_in_several_processes_are_reserved_once():
    stocked("MUG", north=1_000)
    orders = [placed(MUG=2) for _ in range(60)]
    shuffled = [random.sample(orders, len(orders)) for _ in range(PROCESSES)]

    at_once(*(in_batches(events, 20, reserve) for events in shuffled))

    assert figures("MUG", "north") == (1_000, 120)
    assert_ledger_holds()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_crossed_orders_cancels_and_transfers_all_end(size):
    skus = [f"S{number}" for number in range(6)]
    for sku in skus:
        stocked(sku, north=40, south=40)
    # Each process takes the products in an order of its own, and cancels what another may be reserving just now.
    orders = [placed(**dict.fromkeys(random.sample(skus, 4), 1)) for _ in range(120)]
    called_off = random.sample(orders, 60)

    def transfers() -> None:
        for _ in range(15):
            for sku in random.sample(skus, len(skus)):
                with suppress(InvalidInput):  # all that is there may be reserved
                    operations.transfer_stock(sku=sku, source="south", target="north", quantity=1, reason="closer")

    at_once(
        in_batches(orders[:80], size, reserve),
        in_batches(orders[40:][::-1], size, reserve),
        in_batches([cancelled(order) for order in called_off], size, release),
        in_batches([cancelled(order) for order in called_off[::-1]], size, release),
        transfers,
    )

    kept = {order.order_id for order in orders} - {order.order_id for order in called_off}
    assert set(Allocation.objects.filter(state="cancelled").values_list("pk", flat=True)) == {
        order.order_id for order in called_off
    }
    assert set(Allocation.objects.filter(state__in=["reserved", "rejected"]).values_list("pk", flat=True)) == kept
    assert_ledger_holds()
