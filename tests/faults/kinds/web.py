"""A web server's worker killed before the COMMIT of an order, and between its COMMIT and the answer."""

import psutil

from tests.faults.client_history import Attempt, Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.faults.verdict import orders_with
from tests.system import eventually


def kill_web_worker_at(cluster: Cluster, client: Client, point: str) -> list[Attempt]:
    """Kill one of the web server's workers at a point of placing an order; the attempts that got no answer."""
    eventually(client.is_idle, within=30, what="the orders before it are placed")
    first = len(client.history)
    cluster.arm_fault_point(point, action="kill")
    client.grant(8)
    dead = cluster.wait_for_fault_point(point)
    eventually(client.is_idle, within=30, what="the orders are placed")
    eventually(lambda: not psutil.pid_exists(dead), within=5, what="the worker at that point is gone")
    eventually(
        lambda: len(cluster.main_process("web").children()) == 2, within=20, what="another worker takes its place"
    )
    unanswered = [attempt for attempt in client.history[first:] if not attempt.status]
    assert unanswered, "every order was answered"
    return unanswered


@fault("web killed before COMMIT", area="web", seconds=3)
def before_commit(cluster: Cluster, client: Client) -> None:
    """No answer, and no order."""
    unanswered = kill_web_worker_at(cluster, client, "placing")
    assert [attempt for attempt in unanswered if not orders_with(cluster, attempt.lines)], "it was committed"


@fault("web killed after COMMIT, before the answer", area="web", seconds=3)
def after_commit(cluster: Cluster, client: Client) -> None:
    """No answer, but the order exists once, and is handled like any other."""
    unanswered = kill_web_worker_at(cluster, client, "placed")
    made = [len(orders_with(cluster, attempt.lines)) for attempt in unanswered]
    assert any(made), "it was not committed"
    assert max(made) == 1, "it was committed twice"
