"""The broker stopped, emptied, and half-open."""

import time

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually


@fault("broker stopped 30 s", area="broker", seconds=30, drain_limit_s=30, broker_down=True)
def stopped(cluster: Cluster, client: Client) -> None:
    """Orders are accepted as usual, and wait; both relays report the problem once."""
    lines = {name: cluster.log(name).read_text().count("the broker does not answer") for name in ("relay1", "relay2")}
    cluster.stop_broker()
    try:
        for _ in range(30):
            client.grant(4)
            cluster.hold(1)
        eventually(client.is_idle, within=20, what="the orders are placed")
        assert cluster.unsettled_deliveries() > 0, "a delivery was handled without a broker"
        for name, before in lines.items():

            def has_noticed(name: str = name, before: int = before) -> bool:
                return cluster.log(name).read_text().count("the broker does not answer") > before

            eventually(has_noticed, within=10, what=f"{name} has noticed")
    finally:
        cluster.start_broker()


@fault("broker emptied under load", area="broker", drain_limit_s=30)
def emptied(cluster: Cluster, client: Client) -> None:
    """Empty the broker while bells wait and no worker takes them, and then while workers do."""
    mains = [cluster.main_process(name) for name in cluster.workers("inventory")]
    for _ in range(1 if cluster.is_shortened else 3):
        try:
            for main in mains:
                main.suspend()
            client.grant(4)
            eventually(lambda: cluster.broker.queue_length("inventory"), within=20, what="a bell waits")
            lost = cluster.broker.purge()
            assert lost, "the broker was empty"
        finally:
            for main in mains:
                main.resume()
        client.grant(4)
        for _ in range(10):
            cluster.broker.purge()
            time.sleep(0.02)


@fault("broker half-open", area="broker", seconds=15, drain_limit_s=60)
def half_open(cluster: Cluster, client: Client) -> None:
    """Every open connection stays open and forwards nothing any more; new connections work."""
    connections = cluster.broker_proxy.stop_forwarding()
    assert connections, "no client was connected"
    client.grant(12)
    eventually(client.is_idle, within=20, what="the orders are placed")
    assert cluster.unsettled_deliveries() > 0, "a delivery was handled over a half-open connection"
    # The system recovers by itself: clients give up on a half-open connection and connect again.
