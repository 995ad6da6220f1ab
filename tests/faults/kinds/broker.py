"""The broker stopped, emptied, and half-open."""

import time

from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually


@fault("broker stopped 30 s", area="broker", seconds=30, drains_within=30, broker_down=True)
def stopped(cluster: Cluster, client: Client) -> None:
    """Orders are taken as ever, and wait; both relays say what is wrong, once."""
    lines = {name: cluster.log(name).read_text().count("the broker does not answer") for name in ("relay1", "relay2")}
    cluster.stop_broker()
    try:
        for _ in range(30):
            client.grant(4)
            cluster.last(1)
        eventually(client.quiet, within=20, what="the orders are placed")
        assert cluster.unsettled() > 0, "something was handled without a broker"
        for name, before in lines.items():
            eventually(
                lambda name=name, before=before: (
                    cluster.log(name).read_text().count("the broker does not answer") > before
                ),
                within=10,
                what=f"{name} has noticed",
            )
    finally:
        cluster.start_broker()


@fault("broker emptied under load", area="broker", drains_within=30)
def emptied(cluster: Cluster, client: Client) -> None:
    """FLUSHALL or a purge, while bells wait that nobody takes; and then under workers that do."""
    mains = [cluster.main(name) for name in cluster.workers("inventory")]
    for _ in range(1 if cluster.hurry else 3):
        try:
            for main in mains:
                main.suspend()
            client.grant(4)
            eventually(lambda: cluster.broker.waiting("inventory"), within=20, what="a bell waits")
            lost = cluster.broker.empty()
            assert lost, "there was nothing to lose"
        finally:
            for main in mains:
                main.resume()
        client.grant(4)
        for _ in range(10):
            cluster.broker.empty()
            time.sleep(0.02)


@fault("broker half-open", area="broker", seconds=15, drains_within=60)
def half_open(cluster: Cluster, client: Client) -> None:
    """Every connection stays open and carries nothing any more; new ones do."""
    holes = cluster.broker_proxy.stop_forwarding()
    assert holes, "nobody was connected"
    client.grant(12)
    eventually(client.quiet, within=20, what="the orders are placed")
    assert cluster.unsettled() > 0, "something was handled through a black hole"
    # It heals itself: whoever is in a black hole gives up on it and connects anew.
