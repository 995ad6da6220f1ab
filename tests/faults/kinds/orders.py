"""Unusual sequences of orders: cancelled before they are handled, and fifty customers for the same product."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.client_history import Attempt, Client
from tests.faults.cluster import HOT, Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually

CUSTOMERS = 50
SET_PAUSED = "UPDATE bus_subscription SET paused = %s WHERE handler = 'inventory.reserve_stock'"
SHUFFLE = """
    UPDATE bus_delivery SET due_at = now() + random() * interval '2 seconds'
    FROM (SELECT id FROM bus_delivery
          WHERE handler = 'inventory.reserve_stock' AND attempts = 0 AND dead_at IS NULL AND due_at <= now()
          ORDER BY id FOR UPDATE SKIP LOCKED) AS due
    WHERE bus_delivery.id = due.id
    RETURNING bus_delivery.id
"""


@fault("deliveries shuffled", area="order", seconds=3)
def shuffled(cluster: Cluster, client: Client) -> None:
    """A cancellation that is handled before its order reserves nothing; other deliveries come in random order."""
    cluster.sql(SET_PAUSED, True)
    try:
        cancelled = [client.place() for _ in range(3)]
        assert {attempt.outcome for attempt in cancelled} == {"acknowledged"}
        for attempt in cancelled:
            client.cancel(attempt)
        assert {attempt.cancel for attempt in cancelled} == {200}
        client.grant(8)
        eventually(client.is_idle, within=30, what="the orders are placed")
        eventually(
            lambda: _count_handled(cluster, cancelled, by="inventory.release_stock") == 3,
            within=20,
            what="the cancellations are handled first",
        )
        assert not _count_handled(cluster, cancelled, by="inventory.reserve_stock"), (
            "an order was handled before its cancellation"
        )
        shuffled = [delivery_id for (delivery_id,) in cluster.sql(SHUFFLE)]
    finally:
        cluster.sql(SET_PAUSED, False)
    eventually(
        lambda: _count_handled(cluster, cancelled, by="inventory.reserve_stock") == 3,
        within=20,
        what="the orders are handled after them",
    )
    left = "SELECT 1 FROM bus_delivery WHERE id = ANY(%s)"
    eventually(lambda: not cluster.sql(left, shuffled), within=20, what="the shuffled deliveries are handled")
    done = cluster.sql(
        "SELECT delivery_id FROM bus_receipt WHERE delivery_id = ANY(%s) ORDER BY settled_at, delivery_id", shuffled
    )
    assert done != sorted(done), "the deliveries were handled in the order of publishing"
    orders = [attempt.order_id for attempt in cancelled]
    assert not cluster.sql("SELECT 1 FROM inventory_movement WHERE order_id = ANY(%s)", orders), "stock was reserved"


def _count_handled(cluster: Cluster, attempts: list[Attempt], *, by: str) -> int:
    """For how many of these orders a handler is done."""
    rows = cluster.sql(
        "SELECT count(*) FROM bus_receipt r JOIN bus_event e ON e.id = r.event_id"
        " WHERE r.handler = %s AND e.subject = ANY(%s)",
        *(by, [str(attempt.order_id) for attempt in attempts]),
    )
    return int(rows[0][0])


@fault("hot product and crossed orders from 50 threads", area="order", seconds=4)
def hot_and_crossed(cluster: Cluster, client: Client) -> None:
    """Fifty orders at once for one product and, in opposite sequences, for others: each unit is sold once.

    The confirmed orders are cancelled in the end, so that there are units the next time.
    """
    eventually(client.is_idle, within=30, what="the orders before it are placed")
    eventually(lambda: not cluster.unsettled_deliveries(), within=30, what="no order is unsettled")
    [(left,)] = cluster.sql(
        "SELECT s.on_hand - s.reserved FROM inventory_stock s JOIN inventory_product p ON p.id = s.product_id"
        " WHERE p.sku = %s",
        HOT,
    )
    ready = threading.Barrier(CUSTOMERS)

    def place(number: int) -> Attempt:
        ready.wait(timeout=30)
        return client.place(more={HOT: 1}, backwards=number % 2 == 1)

    with ThreadPoolExecutor(CUSTOMERS) as pool:
        attempts = list(pool.map(place, range(CUSTOMERS)))
    outcomes = Counter((attempt.outcome, attempt.status) for attempt in attempts)
    assert outcomes == {("acknowledged", 201): CUSTOMERS}, f"answers: {outcomes}"
    orders = [attempt.order_id for attempt in attempts]
    asked = cluster.sql(
        "SELECT data->'lines'->0->>'sku' FROM bus_event WHERE subject = ANY(%s)", list(map(str, orders))
    )
    assert 0 < sum(sku == HOT for (sku,) in asked) < CUSTOMERS, "all orders had the same sequence of lines"
    eventually(lambda: not cluster.unsettled_deliveries(), within=30, what="all orders are settled")
    ended = dict(cluster.sql("SELECT status, count(*) FROM orders_order WHERE id = ANY(%s) GROUP BY 1", orders))
    expected = {"confirmed": min(left, CUSTOMERS), "rejected": max(CUSTOMERS - left, 0)}
    assert ended == {status: number for status, number in expected.items() if number}, ended
    got = cluster.sql("SELECT id FROM orders_order WHERE id = ANY(%s) AND status = 'confirmed'", orders)
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        list(pool.map(client.cancel, [attempt for attempt in attempts if (attempt.order_id,) in got]))
