"""What operators do to a running system: pause, stop a service, replay, prune."""

import re
from concurrent.futures import ThreadPoolExecutor

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually

RESERVE = "inventory.reserve_stock"


@fault("handler paused and resumed", area="operator", seconds=5)
def paused(cluster: Cluster, client: Client) -> None:
    """Its deliveries wait until `manage.py bus resume`, and other handlers work on."""
    assert "They pause." in cluster.manage_successfully("bus", "pause", RESERVE, "--yes")
    try:
        eventually(lambda: not _owed(cluster, tried=True), within=20, what="no delivery is being handled")
        [(done,)] = cluster.sql("SELECT count(*) FROM bus_receipt WHERE handler = %s", RESERVE)
        client.grant(6)
        eventually(client.is_idle, within=30, what="the orders are placed")
        waiting = _owed(cluster)
        assert waiting >= 6, f"only {waiting} wait"
        cluster.hold(1)
        assert cluster.sql("SELECT count(*) FROM bus_receipt WHERE handler = %s", RESERVE) == [(done,)], (
            "the paused handler works"
        )
    finally:
        assert "They work again." in cluster.manage_successfully("bus", "resume", RESERVE, "--yes")


def _owed(cluster: Cluster, *, tried: bool = False) -> int:
    rows = cluster.sql(
        "SELECT count(*) FROM bus_delivery WHERE handler = %s AND dead_at IS NULL AND (attempts > 0 OR NOT %s)",
        *(RESERVE, tried),
    )
    return int(rows[0][0])


@fault("one service stopped for minutes", area="operator", seconds=60)
def service_stopped(cluster: Cluster, client: Client) -> None:
    """Without a worker of the orders service, orders are accepted and stock is reserved; they are confirmed later."""
    names = cluster.workers("orders")
    try:
        cluster.terminate(*names)
        [(before,)] = cluster.sql("SELECT count(*) FROM bus_receipt WHERE handler = %s", RESERVE)
        first = len(client.history)
        for _ in range(60):
            client.grant(1)
            cluster.hold(1)
        eventually(client.is_idle, within=30, what="the orders are placed")
        flowed = "SELECT count(*) FROM bus_receipt WHERE handler = %s"
        eventually(
            lambda: cluster.sql(flowed, RESERVE)[0][0] >= before + 60, within=10, what="the other services go on"
        )
        [(waiting,)] = cluster.sql(
            "SELECT count(*) FROM bus_delivery WHERE handler LIKE 'orders.%%' AND attempts = %s", 0
        )
        # An order that is cancelled before its stock is reserved needs nothing more from the orders service.
        cancelled = sum(attempt.cancel != 0 for attempt in client.history[first:])
        assert waiting >= 60 - cancelled, f"only {waiting} wait for the orders service, {cancelled} are cancelled"
    finally:
        cluster.start_workers(*(name for name in names if name not in cluster.processes))


@fault("replay and prune while workers run, twice", area="operator", seconds=10)
def replay_and_prune(cluster: Cluster, client: Client) -> None:
    """Two replays and a pruning at the same time, under load; and everything once more."""
    commands = (
        ("bus", "replay", "--type", "orders.order_placed", "--yes"),
        ("bus", "replay", "--type", "inventory.stock_reserved", "--yes"),
        ("bus", "prune", "--keep", "0s", "--chunk", "20", "--yes"),
    )
    replayed = pruned = 0
    with ThreadPoolExecutor() as pool, client.steady_load(every=0.5):
        for _ in range(2):
            for printed in pool.map(lambda command: cluster.manage_successfully(*command), commands):
                replayed += sum(
                    int(number) for number in re.findall(r"(\d+) deliveries of \d+ events are due", printed)
                )
                pruned += sum(int(number) for number in re.findall(r"(\d+) events, .* are gone", printed))
    # Orders of the next release (kinds/releases.py) are replayed too, and would wait for that release forever.
    cluster.sql(
        "DELETE FROM bus_delivery d USING bus_event e WHERE e.id = d.event_id AND e.type = %s AND e.version > 1",
        "orders.order_placed",
    )
    assert replayed, "nothing was replayed"
    assert pruned, "nothing was pruned"
    eventually(client.is_idle, within=30, what="the orders are placed")
    eventually(lambda: not cluster.unsettled_deliveries(), within=30, what="the replayed events are handled")
