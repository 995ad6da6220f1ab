"""Too many bells: a bell only asks a worker to look into the database, so any number of them does no harm."""

import time

from tests.faults.brokers import QUEUES
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually

BELLS = 10_000


@fault("every bell sent ten times", area="message", seconds=3)
def ten_times(cluster: Cluster, client: Client) -> None:
    """Have the relays send each bell ten times."""
    bells, many = cluster.fault_directory / "bells", cluster.fault_directory / "many"
    (cluster.fault_directory / "new").write_text("10")
    (cluster.fault_directory / "new").rename(many)
    try:

        def rung_twice() -> bool:
            client.grant(1)
            time.sleep(0.1)  # so that there is more than one bell to ring, whatever a batch holds
            return bells.exists() and bells.read_text().count("inventory.reserve_stock\n") >= 20

        eventually(rung_twice, within=20, what="bells were sent ten times each")
        cluster.hold(1)
        eventually(client.is_idle, within=20, what="the orders are placed")
    finally:
        many.unlink()
        bells.unlink(missing_ok=True)


@fault("ten thousand redundant bells", area="message", seconds=20)
def for_nothing(cluster: Cluster, client: Client) -> None:
    """Put bells on all queues at once, while orders are placed: they are answered, and orders are settled."""
    bells = BELLS // 10 if cluster.is_shortened else BELLS
    handlers = cluster.sql("SELECT handler, max(queue) FROM bus_subscription GROUP BY handler ORDER BY handler")
    workers = [cluster.main_process(name) for name in cluster.workers()]
    for worker in workers:
        worker.suspend()  # otherwise workers would answer the first while the last are sent
    try:
        cluster.broker.ring_handlers([handlers[number % len(handlers)] for number in range(bells)])
        eventually(
            lambda: sum(cluster.broker.queue_length(queue) for queue in QUEUES) > bells / 2,
            within=20,
            what="the bells wait",
        )
    finally:
        for worker in workers:
            worker.resume()
    client.grant(20)
    eventually(client.is_idle, within=30, what="the orders are placed")
    eventually(
        lambda: sum(cluster.broker.queue_length(queue) for queue in QUEUES) < 50,
        within=120,
        what="the bells are answered",
    )
