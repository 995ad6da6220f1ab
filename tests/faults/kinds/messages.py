"""Hostile messages: whoever can write to the broker can put anything on its queues."""

from tests.faults import hostile
from tests.faults.cluster import QUEUES, Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Bytes of the largest message that goes on all queues.
LARGE = 1_000_000


def refused(cluster: Cluster) -> int:
    """How many messages were refused so far."""
    return int(cluster.sql("SELECT coalesce(sum(count), 0) FROM bus_refusedmessage")[0][0])


@fault("hostile messages", area="message", seconds=4)
def hostile_messages(cluster: Cluster, client: Client) -> None:
    """The whole corpus on every queue, while orders are placed: each is refused and counted, and no worker falls."""
    mains = {name: cluster.main(name) for name in cluster.workers()}
    before, put = refused(cluster), 0
    for queue in QUEUES:
        client.grant(3)
        put += hostile.put(cluster.broker, queue=queue, largest=LARGE)
    eventually(client.quiet, within=30, what="the orders are placed")
    eventually(lambda: refused(cluster) - before == put, within=30, what=f"{put} messages are refused and counted")
    eventually(lambda: not cluster.unsettled(), within=20, what="the orders flow")
    assert {name: cluster.main(name) for name in mains} == mains, "a main process is another"
    assert all(main.is_running() for main in mains.values()), "a main process is gone"
