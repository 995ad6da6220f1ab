"""Too many bells: a bell is a look into the database, so any number of them does no harm."""

import time

from tests.faults.cluster import QUEUES, Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually

BELLS = 10_000


@fault("every bell sent ten times", area="message", seconds=3)
def ten_times(cluster: Cluster, client: Client) -> None:
    """By relays that ring each bell so often."""
    bells, many = cluster.points / "bells", cluster.points / "many"
    (cluster.points / "new").write_text("10")
    (cluster.points / "new").rename(many)
    try:

        def rung_twice() -> bool:
            client.grant(1)
            time.sleep(0.1)  # so that there is more than one bell to ring, whatever a batch holds
            return bells.exists() and bells.read_text().count("inventory.reserve_stock\n") >= 20

        eventually(rung_twice, within=20, what="bells were sent ten times each")
        cluster.last(1)
        eventually(client.quiet, within=20, what="the orders are placed")
    finally:
        many.unlink()
        bells.unlink(missing_ok=True)


@fault("ten thousand bells for nothing", area="message", seconds=20)
def for_nothing(cluster: Cluster, client: Client) -> None:
    """Put into all queues at once, while orders are placed; they are answered, and the orders flow."""
    bells = BELLS // 10 if cluster.hurry else BELLS
    handlers = cluster.sql("SELECT handler, max(queue) FROM bus_subscription GROUP BY handler ORDER BY handler")
    workers = [cluster.main(name) for name in cluster.workers()]
    for worker in workers:
        worker.suspend()  # or they would answer the first while the last are sent
    try:
        cluster.broker.ring([handlers[number % len(handlers)] for number in range(bells)])
        eventually(
            lambda: sum(cluster.broker.waiting(queue) for queue in QUEUES) > bells / 2, within=20, what="the bells wait"
        )
    finally:
        for worker in workers:
            worker.resume()
    client.grant(20)
    eventually(client.quiet, within=30, what="the orders are placed")
    eventually(
        lambda: sum(cluster.broker.waiting(queue) for queue in QUEUES) < 50, within=120, what="the bells are answered"
    )
