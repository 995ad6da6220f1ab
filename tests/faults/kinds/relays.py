"""The relay killed at any moment, and none, two and four of it."""

import time

from tests.faults.cluster import Cluster, alive
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually


@fault("relay killed at any moment", area="relay")
def killed_at_any_moment(cluster: Cluster, client: Client) -> None:
    """Just before a bell, just after one, and at moments of no choice; the other relay goes on."""
    for point in ("ringing", "rung"):
        cluster.arm(point, action="kill")
        client.grant(3)
        dead = cluster.fired(point)
        eventually(lambda dead=dead: not alive(dead), within=5, what="the relay at that point is gone")
        cluster.restart_dead()
    for _ in range(2 if cluster.hurry else 6):
        name = cluster.random.choice(("relay1", "relay2"))
        client.grant(2)
        time.sleep(cluster.random.uniform(0, 0.3))
        dead = cluster.main(name)
        cluster.kill(name)
        assert not dead.is_running()
        cluster.start_named(name)


@fault("none, two and four relays", area="relay", seconds=5)
def none_two_and_four(cluster: Cluster, client: Client) -> None:
    """Without a relay what is placed waits; with four of them it is handled as with one."""
    more = ("relay3", "relay4")
    try:
        for name in ("relay1", "relay2"):
            cluster.kill(name)
        # What was rung for is answered, and after that nothing moves any more.
        client.grant(8)
        eventually(client.quiet, within=20, what="the orders are placed")
        waiting = eventually(lambda: _waits(cluster), within=20, what="orders wait")
        cluster.last(1)
        assert cluster.unsettled() >= waiting, "something was handled without a relay"
        for name in ("relay1", "relay2", *more):
            cluster.start_named(name)
        client.grant(8)
        eventually(client.quiet, within=20, what="the orders are placed")
        eventually(lambda: not cluster.unsettled(), within=10, what="four relays have it drained")
        assert all(cluster.main(name).is_running() for name in ("relay1", "relay2", *more))
    finally:
        for name in more:
            if name in cluster.processes:
                cluster.terminate(name)
        for name in ("relay1", "relay2"):
            if name not in cluster.processes:
                cluster.start_named(name)


def _waits(cluster: Cluster) -> int:
    """How much is due, once no worker is at it any more."""
    before = cluster.unsettled()
    time.sleep(0.2)
    return before if cluster.unsettled() == before else 0
