"""Workers that are killed or stopped at each step of the protocol, and whole groups of them that are killed."""

import time

import psutil

from tests.console.leftovers import is_alive
from tests.faults.brokers import QUEUES
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually


def kill_pool_process_at(cluster: Cluster, client: Client, point: str) -> None:
    """Kill a pool process at a point of the protocol while it reserves stock."""
    cluster.arm_fault_point(point, action="kill", handler="inventory.reserve_stock")
    client.grant(4)
    cluster.wait_for_fault_point(point)


@fault("worker child killed before its claim commits", area="worker")
def before_claim_commits(cluster: Cluster, client: Client) -> None:
    kill_pool_process_at(cluster, client, "claiming")


@fault("worker child killed between claim and handler", area="worker")
def between_claim_and_handler(cluster: Cluster, client: Client) -> None:
    kill_pool_process_at(cluster, client, "claimed")


@fault("worker child killed in mid-transaction", area="worker")
def in_mid_transaction(cluster: Cluster, client: Client) -> None:
    kill_pool_process_at(cluster, client, "handling")


@fault("worker child killed between COMMIT and its next claim", area="worker")
def after_commit(cluster: Cluster, client: Client) -> None:
    kill_pool_process_at(cluster, client, "handled")


def stop_pool_process_at(cluster: Cluster, client: Client, point: str) -> int:
    """Stop a pool process at a point of the protocol while it reserves stock; its pid."""
    cluster.arm_fault_point(point, action="stop", handler="inventory.reserve_stock")
    client.grant(4)
    return cluster.wait_for_fault_point(point)


def wait_until_it_works_again(cluster: Cluster, client: Client, pid: int) -> None:
    """Place orders until a pool process that was stopped has a new receipt, so that its older work is behind it."""
    since = cluster.now()

    def has_a_receipt() -> bool:
        client.grant(1)
        eventually(client.is_idle, within=20, what="the orders are placed")
        return bool(
            cluster.sql("SELECT 1 FROM bus_receipt WHERE worker LIKE %s AND settled_at > %s LIMIT 1", f"%:{pid}", since)
        )

    eventually(has_a_receipt, within=20, what="the stopped process works again")


@fault("worker stopped past its lease, then continued", area="worker", seconds=4)
def stopped_past_its_lease(cluster: Cluster, client: Client) -> None:
    """Between claim and handler: a neighbour handles its claims, and it finds that they are no longer its own."""
    stopped = stop_pool_process_at(cluster, client, "claimed")
    try:
        claimed = [
            row[0]
            for row in cluster.sql(
                "SELECT id FROM bus_delivery WHERE handler = 'inventory.reserve_stock' AND attempts > 0"
            )
        ]
        assert claimed, "the process has no claim"
        eventually(lambda: not cluster.unsettled_deliveries(), within=20, what="its neighbour has done everything")
        assert psutil.Process(stopped).status() == psutil.STATUS_STOPPED
    finally:
        psutil.Process(stopped).resume()
    wait_until_it_works_again(cluster, client, stopped)
    receipts = cluster.sql("SELECT attempts, worker FROM bus_receipt WHERE delivery_id = ANY(%s)", claimed)
    assert max(attempts for attempts, _ in receipts) > 1, "no delivery was claimed again"
    assert not [worker for _, worker in receipts if worker.endswith(f":{stopped}")], (
        "the process settled deliveries of its neighbour"
    )


#: Sessions that hold rows of stock and have been silent for a second.
SILENT_LOCK_HOLDERS = """
    SELECT DISTINCT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE a.state = 'idle in transaction' AND a.state_change < clock_timestamp() - interval '1 second'
        AND l.relation = 'inventory_stock'::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
"""


@fault("worker stopped while it holds stock rows", area="worker", seconds=8)
def stopped_while_it_holds_rows(cluster: Cluster, client: Client) -> None:
    """PostgreSQL ends its session by a time-out, and its neighbours have drained before it continues."""
    stopped = stop_pool_process_at(cluster, client, "handling")
    try:
        [session] = eventually(
            lambda: cluster.sql(SILENT_LOCK_HOLDERS), within=4, what="a silent session holds rows of stock"
        )
        client.grant(4)
        eventually(client.is_idle, within=20, what="the orders are placed")
        eventually(lambda: not cluster.unsettled_deliveries(), within=20, what="its neighbours have done everything")
        assert not cluster.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", *session), "the session is still there"
        assert psutil.Process(stopped).status() == psutil.STATUS_STOPPED
    finally:
        psutil.Process(stopped).resume()
    wait_until_it_works_again(cluster, client, stopped)


@fault("whole worker groups killed again and again", area="worker", seconds=15)
def groups_killed(cluster: Cluster, client: Client) -> None:
    """Main and pool processes at once, one worker of each queue after another, some before they have started again."""
    killed: list[psutil.Process] = []
    for _ in range(1 if cluster.is_shortened else 2):
        for queue in QUEUES:
            name = cluster.random.choice(cluster.workers(queue))
            client.grant(2)
            time.sleep(cluster.random.uniform(0, 0.2))
            killed += [cluster.main_process(name), *cluster.main_process(name).children()]
            cluster.kill(name)
            cluster.start_named(name, wait=False)
    eventually(lambda: not any(map(is_alive, killed)), within=10, what="all killed processes are gone")
    for name in cluster.workers():
        cluster.wait_for_worker(name)
