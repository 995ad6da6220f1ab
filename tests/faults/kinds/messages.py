"""Hostile messages: any client of the broker can put anything on its queues."""

from tests.faults import hostile
from tests.faults.brokers import QUEUES
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Size of the largest message that goes on all queues.
LARGEST_BYTES = 1_000_000


def refused_messages(cluster: Cluster) -> int:
    """How many messages were refused so far."""
    return int(cluster.sql("SELECT coalesce(sum(count), 0) FROM bus_refusedmessage")[0][0])


@fault("hostile messages", area="message", seconds=4)
def hostile_messages(cluster: Cluster, client: Client) -> None:
    """The whole corpus on every queue, while orders are placed: all of it is refused and counted; workers survive."""
    mains = {name: cluster.main_process(name) for name in cluster.workers()}
    before, put = refused_messages(cluster), 0
    for queue in QUEUES:
        client.grant(3)
        put += hostile.publish_corpus(cluster.broker, queue=queue, largest=LARGEST_BYTES)
    eventually(client.is_idle, within=30, what="the orders are placed")
    eventually(
        lambda: refused_messages(cluster) - before == put, within=30, what=f"{put} messages are refused and counted"
    )
    eventually(lambda: not cluster.unsettled_deliveries(), within=20, what="the orders are settled")
    assert {name: cluster.main_process(name) for name in mains} == mains, "a main process was replaced"
    assert all(main.is_running() for main in mains.values()), "a main process is gone"
