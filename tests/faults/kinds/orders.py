"""Orders in an order that nobody would choose: cancelled before they came, and fifty customers at the same shelf."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.cluster import HOT, Cluster
from tests.faults.journal import Attempt, Client
from tests.faults.kinds.registry import fault
from tests.system import eventually

THREADS = 50
PAUSE = "UPDATE bus_subscription SET paused = %s WHERE handler = 'inventory.reserve_stock'"
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
    """A cancel handled before its order: nothing is reserved. And orders come bell by bell, in no order."""
    cluster.sql(PAUSE, True)
    try:
        cancelled = [client.place() for _ in range(3)]
        assert {attempt.outcome for attempt in cancelled} == {"acknowledged"}
        for attempt in cancelled:
            client.cancel(attempt)
        assert {attempt.cancel for attempt in cancelled} == {200}
        client.grant(8)
        eventually(client.quiet, within=30, what="the orders are placed")
        eventually(
            lambda: _handled(cluster, cancelled, by="inventory.release_stock") == 3,
            within=20,
            what="cancels come first",
        )
        assert not _handled(cluster, cancelled, by="inventory.reserve_stock"), "an order came before its cancel"
        shuffled = [delivery_id for (delivery_id,) in cluster.sql(SHUFFLE)]
    finally:
        cluster.sql(PAUSE, False)
    eventually(
        lambda: _handled(cluster, cancelled, by="inventory.reserve_stock") == 3, within=20, what="the orders come after"
    )
    left = "SELECT 1 FROM bus_delivery WHERE id = ANY(%s)"
    eventually(lambda: not cluster.sql(left, shuffled), within=20, what="all of them are done")
    done = cluster.sql(
        "SELECT delivery_id FROM bus_receipt WHERE delivery_id = ANY(%s) ORDER BY ended_at, delivery_id", shuffled
    )
    assert done != sorted(done), "they were handled in the order of their publishing"
    orders = [attempt.order_id for attempt in cancelled]
    assert not cluster.sql("SELECT 1 FROM inventory_movement WHERE order_id = ANY(%s)", orders), "stock was reserved"


def _handled(cluster: Cluster, attempts: list[Attempt], *, by: str) -> int:
    """For how many of these orders a handler is done."""
    rows = cluster.sql(
        "SELECT count(*) FROM bus_receipt r JOIN bus_event e ON e.id = r.event_id"
        " WHERE r.handler = %s AND e.subject = ANY(%s)",
        *(by, [str(attempt.order_id) for attempt in attempts]),
    )
    return int(rows[0][0])


@fault("hot product and crossed orders from 50 threads", area="order", seconds=4)
def hot_and_crossed(cluster: Cluster, client: Client) -> None:
    """All at once for one product, and for others in opposite orders: all end, and as many get it as there are.

    Those that got it then give it back, so that there is something to fight for the next time.
    """
    eventually(client.quiet, within=30, what="the orders before it are placed")
    eventually(lambda: not cluster.unsettled(), within=30, what="nothing is under way")
    [(left,)] = cluster.sql(
        "SELECT s.on_hand - s.reserved FROM inventory_stock s JOIN inventory_product p ON p.id = s.product_id"
        " WHERE p.sku = %s",
        HOT,
    )
    ready = threading.Barrier(THREADS)

    def place(number: int) -> Attempt:
        ready.wait(timeout=30)
        return client.place(more={HOT: 1}, backwards=number % 2 == 1)

    with ThreadPoolExecutor(THREADS) as pool:
        attempts = list(pool.map(place, range(THREADS)))
    outcomes = Counter((attempt.outcome, attempt.status) for attempt in attempts)
    assert outcomes == {("acknowledged", 201): THREADS}, f"answers: {outcomes}"
    orders = [attempt.order_id for attempt in attempts]
    asked = cluster.sql(
        "SELECT data->'lines'->0->>'sku' FROM bus_event WHERE subject = ANY(%s)", list(map(str, orders))
    )
    assert 0 < sum(sku == HOT for (sku,) in asked) < THREADS, "all were in the same order"
    eventually(lambda: not cluster.unsettled(), within=30, what="all of them have ended")
    ended = dict(cluster.sql("SELECT status, count(*) FROM orders_order WHERE id = ANY(%s) GROUP BY 1", orders))
    expected = {"confirmed": min(left, THREADS), "rejected": max(THREADS - left, 0)}
    assert ended == {status: number for status, number in expected.items() if number}, ended
    got = cluster.sql("SELECT id FROM orders_order WHERE id = ANY(%s) AND status = 'confirmed'", orders)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(client.cancel, [attempt for attempt in attempts if (attempt.order_id,) in got]))
