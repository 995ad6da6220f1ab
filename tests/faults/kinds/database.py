"""PostgreSQL that crashes, terminates its clients, has no disk space, or commits and cannot say so.

Also two long transactions: one publishes an event, and one only reads.
"""

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.faults import fault_events
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.faults.proxy import COMMIT_REPLY
from tests.faults.verdict import orders_with
from tests.system import eventually

#: PostgreSQL's log messages after a crash, and when a file cannot grow.
RECOVERY, NO_SPACE = "automatic recovery in progress", "could not extend file"
#: The log message of a worker that lost its connection while it ran a handler.
HANDLER_FAILED = re.compile(r"inventory\.reserve_stock: .* failed with OperationalError")
#: Larger than a segment of the write-ahead log, because PostgreSQL does not run at all without one.
FULL_BYTES = 17 * 2**20
#: Rows that fill more than that, in a transaction that is rolled back, so that they never become visible.
FILL_DISK = """
    INSERT INTO bus_event (id, type, version, subject, time, data, correlation_id)
    SELECT id, 'faults.filler', 1, '', now(), jsonb_build_object('filler', repeat('x', 1800)), id
    FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 10000)) AS made
"""
TERMINATE_BACKENDS = """
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@fault("older transaction commits after a newer one", area="database", seconds=2)
def older_commits_later(cluster: Cluster, client: Client) -> None:
    """Its event is older than all that was handled meanwhile, and is handled all the same."""
    with cluster.postgres.connect() as older:
        older.execute("BEGIN")
        late = fault_events.publish(cluster, "faults.counted", [{"number": 1}], run=older.execute)
        newer = fault_events.publish(cluster, "faults.counted", [{"number": 2}])
        client.grant(8)
        eventually(client.is_idle, within=30, what="the orders are placed")
        eventually(
            lambda: not cluster.unsettled_deliveries() and not fault_events.unsettled(cluster, newer),
            within=30,
            what="the newer event is handled",
        )
        assert not cluster.sql("SELECT 1 FROM bus_event WHERE id = ANY(%s)", late), (
            "the older transaction is already committed"
        )
        older.execute("COMMIT")
    assert _times(cluster, late) < _times(cluster, newer), "the event is not older"
    eventually(lambda: not fault_events.unsettled(cluster, late), within=10, what="the older event is handled")
    assert fault_events.effect_counts(cluster)[late[0]] == 1


def _times(cluster: Cluster, ids: Sequence[object]) -> list[object]:
    return [time for (time,) in cluster.sql("SELECT time FROM bus_event WHERE id = ANY(%s)", ids)]


@fault("PostgreSQL crash-restarted", area="database", seconds=4, drain_limit_s=30)
def crashed(cluster: Cluster, client: Client) -> None:
    """Stopped at once under load, it recovers from its log, and no process needs a restart."""
    recoveries = cluster.postgres.count_in_log(RECOVERY)
    before = {name: process.pid for name, process in cluster.processes.items()}
    client.grant(8)
    eventually(cluster.unsettled_deliveries, within=20, what="some order is unsettled")
    cluster.postgres.crash()
    try:
        client.grant(4)
        cluster.hold(1)
    finally:
        cluster.postgres.start()
    assert cluster.postgres.count_in_log(RECOVERY) == recoveries + 1, "PostgreSQL did not crash"
    client.grant(4)
    eventually(client.is_idle, within=30, what="the orders are placed")
    assert {name: process.pid for name, process in cluster.processes.items() if process.poll() is None} == before


@fault("backends terminated in a loop", area="database", seconds=4, drain_limit_s=30)
def terminated(cluster: Cluster, client: Client) -> None:
    """Every backend, ten times a second, under load."""
    ended = 0
    for _ in range(20):
        client.grant(1)
        ended += cluster.sql(TERMINATE_BACKENDS)[0][0]
        time.sleep(0.1)
    assert ended > 20, f"only {ended} backends were terminated"


@fault("COMMIT's reply to the web server swallowed", area="database", seconds=3)
def reply_to_web_swallowed(cluster: Cluster, client: Client) -> None:
    """The customer gets an error, and the order exists once."""
    eventually(client.is_idle, within=30, what="the orders before it are placed")
    swallowed = cluster.database_proxy.swallowed
    cluster.arm_fault_point("placing", action="stop")
    try:
        with ThreadPoolExecutor() as pool:
            placing = pool.submit(client.place)
            _swallow_reply_to(cluster, cluster.wait_for_fault_point("placing"))
            attempt = placing.result()
        assert cluster.database_proxy.swallowed == swallowed + 1, "the reply to the COMMIT was not swallowed"
    finally:
        cluster.database_proxy.swallow(None)
    assert (attempt.outcome, attempt.status) == ("unknown", 500)
    assert len(orders_with(cluster, attempt.lines)) == 1


@fault("COMMIT's reply to a worker swallowed", area="database", seconds=3)
def reply_to_worker_swallowed(cluster: Cluster, client: Client) -> None:
    """The worker takes its work for failed, and the work is done once."""
    swallowed = cluster.database_proxy.swallowed
    cluster.arm_fault_point("handling", action="stop", handler="inventory.reserve_stock")
    try:
        client.grant(4)
        pid = cluster.wait_for_fault_point("handling")
        [name] = [
            name
            for name in cluster.workers("inventory")
            if cluster.main_process(name).pid == psutil.Process(pid).ppid()
        ]
        done, failed = _done_by(cluster, pid), len(HANDLER_FAILED.findall(cluster.log(name).read_text()))
        _swallow_reply_to(cluster, pid)
        eventually(
            lambda: cluster.database_proxy.swallowed == swallowed + 1,
            within=10,
            what="the reply to a COMMIT is swallowed",
        )
        assert _done_by(cluster, pid) > done, "it was not committed"
    finally:
        cluster.database_proxy.swallow(None)
    eventually(
        lambda: len(HANDLER_FAILED.findall(cluster.log(name).read_text())) > failed,
        within=10,
        what="the worker logs a failure",
    )


def _done_by(cluster: Cluster, pid: int) -> int:
    rows = cluster.sql(
        "SELECT count(*) FROM bus_receipt WHERE handler = 'inventory.reserve_stock' AND worker LIKE %s", f"%:{pid}"
    )
    return int(rows[0][0])


def _swallow_reply_to(cluster: Cluster, pid: int) -> None:
    """Swallow the reply to the next COMMIT of a process, which has stopped itself; then continue the process."""
    process = psutil.Process(pid)
    eventually(lambda: process.status() == psutil.STATUS_STOPPED, within=10, what="the process has stopped")
    try:
        cluster.database_proxy.swallow(
            COMMIT_REPLY, of=lambda port: port in {its.laddr.port for its in process.net_connections("tcp")}
        )
    finally:
        process.resume()


@fault("long transaction holds back vacuum", area="database", seconds=3)
def vacuum_held_back(cluster: Cluster, client: Client) -> None:
    """An old snapshot keeps rows that are deleted meanwhile; relay and workers find what is due all the same."""
    notices: list[str] = []
    with cluster.postgres.connect() as report, cluster.postgres.connect() as keeper:
        report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT count(*) FROM bus_delivery")
        ids = fault_events.publish(cluster, "faults.counted", [{"number": number} for number in range(400)])
        client.grant(8)
        eventually(client.is_idle, within=30, what="the orders are placed")
        eventually(
            lambda: not cluster.unsettled_deliveries() and not fault_events.unsettled(cluster, ids),
            within=30,
            what="all events are handled",
        )
        keeper.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        keeper.execute("VACUUM (VERBOSE) bus_delivery")
        kept = re.search(r"(\d+) are dead but not yet removable", "\n".join(notices))
        assert kept, notices
        assert int(kept[1]) >= len(ids), f"vacuum kept only {kept[1]} rows"
        report.execute("COMMIT")


@fault("no space for the database", area="database", seconds=4, drain_limit_s=30)
def no_space(cluster: Cluster, client: Client) -> None:
    """No event can be written, so every publisher gets an error; the system recovers once there is space."""
    # No space inside the file either, from pruned events now or from the rows below later.
    cluster.sql("ALTER TABLE bus_event SET (autovacuum_enabled = off)")
    try:
        cluster.sql("VACUUM (FULL) bus_event")
        with cluster.postgres.connect() as connection:
            connection.execute("BEGIN")
            connection.execute(FILL_DISK)
            connection.execute("ROLLBACK")
        [(size,)] = cluster.sql("SELECT pg_relation_size('bus_event')")
        first, logged = len(client.history), cluster.postgres.count_in_log(NO_SPACE)

        def refused() -> bool:
            client.grant(2)
            eventually(client.is_idle, within=30, what="every order has been tried")
            return any(attempt.status == 500 for attempt in client.history[first:])

        with cluster.postgres.file_size_limit(max(size, FULL_BYTES)):
            eventually(refused, within=30, what="an order fails for lack of space")
            client.grant(4)
            cluster.hold(1)
            eventually(client.is_idle, within=30, what="every order has been tried")
    finally:
        cluster.sql("ALTER TABLE bus_event RESET (autovacuum_enabled)")
    assert cluster.postgres.count_in_log(NO_SPACE) > logged, "PostgreSQL never ran out of space"
