"""PostgreSQL that crashes, throws its clients out, has no space left, or commits and cannot say so.

And two transactions that take longer than all others: one that publishes, and one that only looks.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.faults import own
from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.faults.proxy import COMMITTED
from tests.faults.verdict import orders_with
from tests.system import eventually

#: What PostgreSQL writes into its log when it finds that it had crashed, and when a file cannot grow.
RECOVERY, NO_SPACE = "automatic recovery in progress", "could not extend file"
#: What a worker writes when it lost its connection while it handled something.
FAILED = re.compile(r"inventory\.reserve_stock: .* failed with OperationalError")
#: Larger than a segment of the write-ahead log, without which PostgreSQL does not run at all.
FULL = 17 * 2**20
#: Rows that fill more than that: of a transaction that is rolled back, so nobody ever sees them.
FILL = """
    INSERT INTO bus_event (id, type, version, subject, time, data, correlation_id)
    SELECT id, 'faults.filler', 1, '', now(), jsonb_build_object('filler', repeat('x', 1800)), id
    FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 10000)) AS made
"""
TERMINATE = """
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@fault("older transaction commits after a newer one", area="database", seconds=2)
def older_commits_later(cluster: Cluster, client: Client) -> None:
    """What it published is due before all that was handled meanwhile, and is handled all the same."""
    with cluster.postgres.connect() as older:
        older.execute("BEGIN")
        late = own.publish(cluster, "faults.counted", [{"number": 1}], run=older.execute)
        newer = own.publish(cluster, "faults.counted", [{"number": 2}])
        client.grant(8)
        eventually(client.quiet, within=30, what="the orders are placed")
        eventually(
            lambda: not cluster.unsettled() and not own.owed(cluster, newer), within=30, what="what is newer is handled"
        )
        assert not cluster.sql("SELECT 1 FROM bus_event WHERE id = ANY(%s)", late), "it was committed already"
        older.execute("COMMIT")
    assert _times(cluster, late) < _times(cluster, newer), "it is not the older one"
    eventually(lambda: not own.owed(cluster, late), within=10, what="the older one is handled")
    assert own.effects(cluster)[late[0]] == 1


def _times(cluster: Cluster, ids: list[object]) -> list[object]:
    return [time for (time,) in cluster.sql("SELECT time FROM bus_event WHERE id = ANY(%s)", ids)]


@fault("PostgreSQL crash-restarted", area="database", seconds=4, drains_within=30)
def crashed(cluster: Cluster, client: Client) -> None:
    """Stopped at once in the midst of everything; it recovers from its log, and nobody needs to be restarted."""
    recoveries = cluster.postgres.said(RECOVERY)
    before = {name: process.pid for name, process in cluster.processes.items()}
    client.grant(8)
    eventually(cluster.unsettled, within=20, what="something is under way")
    cluster.postgres.crash()
    try:
        client.grant(4)
        cluster.last(1)
    finally:
        cluster.postgres.start()
    assert cluster.postgres.said(RECOVERY) == recoveries + 1, "it had been stopped in an orderly way"
    client.grant(4)
    eventually(client.quiet, within=30, what="the orders are placed")
    assert {name: process.pid for name, process in cluster.processes.items() if process.poll() is None} == before


@fault("backends terminated in a loop", area="database", seconds=4, drains_within=30)
def terminated(cluster: Cluster, client: Client) -> None:
    """All of them, every tenth of a second, under load."""
    ended = 0
    for _ in range(20):
        client.grant(1)
        ended += cluster.sql(TERMINATE)[0][0]
        time.sleep(0.1)
    assert ended > 20, f"only {ended} backends were there to be ended"


@fault("COMMIT's reply to the web server swallowed", area="database", seconds=3)
def reply_to_web_swallowed(cluster: Cluster, client: Client) -> None:
    """The customer hears of an error, and the order is there, once."""
    eventually(client.quiet, within=30, what="the orders before it are placed")
    swallowed = cluster.database_proxy.swallowed
    cluster.arm("placing", action="stop")
    try:
        with ThreadPoolExecutor() as pool:
            placing = pool.submit(client.place)
            _swallow_reply_to(cluster, cluster.fired("placing"))
            attempt = placing.result()
        assert cluster.database_proxy.swallowed == swallowed + 1, "the answer to the COMMIT came through"
    finally:
        cluster.database_proxy.swallow(None)
    assert (attempt.outcome, attempt.status) == ("unknown", 500)
    assert len(orders_with(cluster, attempt.lines)) == 1


@fault("COMMIT's reply to a worker swallowed", area="database", seconds=3)
def reply_to_worker_swallowed(cluster: Cluster, client: Client) -> None:
    """It takes what it did for failed, and what it did is done, once."""
    swallowed = cluster.database_proxy.swallowed
    cluster.arm("handling", action="stop", handler="inventory.reserve_stock")
    try:
        client.grant(4)
        pid = cluster.fired("handling")
        [name] = [name for name in cluster.workers("inventory") if cluster.main(name).pid == psutil.Process(pid).ppid()]
        done, failed = _done_by(cluster, pid), len(FAILED.findall(cluster.log(name).read_text()))
        _swallow_reply_to(cluster, pid)
        eventually(
            lambda: cluster.database_proxy.swallowed == swallowed + 1, within=10, what="the answer to a COMMIT is lost"
        )
        assert _done_by(cluster, pid) > done, "it was not committed"
    finally:
        cluster.database_proxy.swallow(None)
    eventually(
        lambda: len(FAILED.findall(cluster.log(name).read_text())) > failed,
        within=10,
        what="the worker takes it for failed",
    )


def _done_by(cluster: Cluster, pid: int) -> int:
    rows = cluster.sql(
        "SELECT count(*) FROM bus_receipt WHERE handler = 'inventory.reserve_stock' AND worker LIKE %s", f"%:{pid}"
    )
    return int(rows[0][0])


def _swallow_reply_to(cluster: Cluster, pid: int) -> None:
    """Have the next COMMIT of a process happen without its knowing; the process has stopped itself, and goes on."""
    process = psutil.Process(pid)
    eventually(lambda: process.status() == psutil.STATUS_STOPPED, within=10, what="the process has stopped")
    try:
        cluster.database_proxy.swallow(
            COMMITTED, of=lambda port: port in {its.laddr.port for its in process.net_connections("tcp")}
        )
    finally:
        process.resume()


@fault("long transaction holds back vacuum", area="database", seconds=3)
def vacuum_held_back(cluster: Cluster, client: Client) -> None:
    """An old snapshot keeps the rows of all that is done meanwhile; what is due is found among them as ever."""
    said: list[str] = []
    with cluster.postgres.connect() as report, cluster.postgres.connect() as keeper:
        report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT count(*) FROM bus_delivery")
        ids = own.publish(cluster, "faults.counted", [{"number": number} for number in range(400)])
        client.grant(8)
        eventually(client.quiet, within=30, what="the orders are placed")
        eventually(
            lambda: not cluster.unsettled() and not own.owed(cluster, ids), within=30, what="all of it is handled"
        )
        keeper.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        keeper.execute("VACUUM (VERBOSE) bus_delivery")
        kept = re.search(r"(\d+) are dead but not yet removable", "\n".join(said))
        assert kept, said
        assert int(kept[1]) >= len(ids), f"vacuum was held back from {kept[1]} rows only"
        report.execute("COMMIT")


@fault("no space for the database", area="database", seconds=4, drains_within=30)
def no_space(cluster: Cluster, client: Client) -> None:
    """No event can be written: an error for each who wants to; and once there is space all goes on by itself."""
    # No space within the file either: none that pruned events left, nor soon that of the rows below.
    cluster.sql("ALTER TABLE bus_event SET (autovacuum_enabled = off)")
    try:
        cluster.sql("VACUUM (FULL) bus_event")
        with cluster.postgres.connect() as connection:
            connection.execute("BEGIN")
            connection.execute(FILL)
            connection.execute("ROLLBACK")
        [(size,)] = cluster.sql("SELECT pg_relation_size('bus_event')")
        first, said = len(client.journal), cluster.postgres.said(NO_SPACE)

        def refused() -> bool:
            client.grant(2)
            eventually(client.quiet, within=30, what="the orders are placed, or not")
            return any(attempt.status == 500 for attempt in client.journal[first:])

        with cluster.postgres.no_file_larger_than(max(size, FULL)):
            eventually(refused, within=30, what="an order finds no space")
            client.grant(4)
            cluster.last(1)
            eventually(client.quiet, within=30, what="the orders are placed, or not")
    finally:
        cluster.sql("ALTER TABLE bus_event RESET (autovacuum_enabled)")
    assert cluster.postgres.said(NO_SPACE) > said, "there was space"
