"""Relays that are killed at any moment; and zero, two and four relays."""

import time

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster, is_pid_alive
from tests.faults.kinds.registry import fault
from tests.system import eventually


@fault("relay killed at any moment", area="relay")
def killed_at_any_moment(cluster: Cluster, client: Client) -> None:
    """Just before a bell, just after one, and at random moments; the other relay goes on."""
    for point in ("ringing", "rung"):
        cluster.arm_fault_point(point, action="kill")
        client.grant(3)
        dead = cluster.wait_for_fault_point(point)

        def is_dead(pid: int = dead) -> bool:
            return not is_pid_alive(pid)

        eventually(is_dead, within=5, what="the relay at that point is gone")
        cluster.restart_dead()
    for _ in range(2 if cluster.is_shortened else 6):
        name = cluster.random.choice(("relay1", "relay2"))
        client.grant(2)
        time.sleep(cluster.random.uniform(0, 0.3))
        dead = cluster.main_process(name)
        cluster.kill(name)
        assert not dead.is_running()
        cluster.start_named(name)


@fault("zero, two and four relays", area="relay", seconds=5)
def none_two_and_four(cluster: Cluster, client: Client) -> None:
    """Without a relay orders wait; with four relays they are settled as with one."""
    more = ("relay3", "relay4")
    try:
        for name in ("relay1", "relay2"):
            cluster.kill(name)
        # Bells that were already sent are answered; after that nothing moves.
        client.grant(8)
        eventually(client.is_idle, within=20, what="the orders are placed")
        waiting = eventually(lambda: _deliveries_at_rest(cluster), within=20, what="orders wait")
        cluster.hold(1)
        assert cluster.unsettled_deliveries() >= waiting, "a delivery was handled without a relay"
        for name in ("relay1", "relay2", *more):
            cluster.start_named(name)
        client.grant(8)
        eventually(client.is_idle, within=20, what="the orders are placed")
        eventually(lambda: not cluster.unsettled_deliveries(), within=10, what="four relays drain everything")
        assert all(cluster.main_process(name).is_running() for name in ("relay1", "relay2", *more))
    finally:
        for name in more:
            if name in cluster.processes:
                cluster.terminate(name)
        for name in ("relay1", "relay2"):
            if name not in cluster.processes:
                cluster.start_named(name)


def _deliveries_at_rest(cluster: Cluster) -> int:
    """The number of due deliveries once no worker handles them any more; 0 before."""
    before = cluster.unsettled_deliveries()
    time.sleep(0.2)
    return before if cluster.unsettled_deliveries() == before else 0
