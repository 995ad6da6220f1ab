"""Clocks that are wrong, process by process, by libfaketime: no harm, because only the database's clock counts."""

from functools import partial
from pathlib import Path

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.faults.kinds.releases import place_and_settle, restart_wrong, roll_workers, terminate_cleanly
from tests.system import eventually

HOUR_S = 3600
#: The paths of Debian, Fedora and Arch.
LIBFAKETIME = next(
    (
        str(library)
        for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib")
        for pattern in ("*/faketime/libfaketime.so.1", "faketime/libfaketime.so.1")
        for library in Path(folder).glob(pattern)
    ),
    "",
)
#: Times that processes write; none may be in the future.
TIME_COLUMNS = (
    ("bus_event", "time"),
    ("bus_receipt", "settled_at"),
    ("orders_order", "placed_at"),
    ("orders_order", "changed_at"),
    ("orders_orderchange", "at"),
    ("inventory_movement", "at"),
)


def clock_environment(hours: str) -> dict[str, str]:
    """The environment of a process with a clock that is wrong by this many hours; its monotonic clock stays right."""
    return {"LD_PRELOAD": LIBFAKETIME, "FAKETIME": f"{hours}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@fault("clocks an hour ahead and an hour behind", area="clock", seconds=30, lacks="" if LIBFAKETIME else "libfaketime")
def wrong_clocks(cluster: Cluster, client: Client) -> None:
    """One relay and one worker of each queue live in the future, the others in the past."""
    assert LIBFAKETIME, "install libfaketime"
    since = cluster.now()
    try:
        for number, hours in ((1, "+1"), (2, "-1")):
            roll_workers(cluster, client, number=number, **clock_environment(hours))
            terminate_cleanly(cluster, f"relay{number}")
            cluster.start_named(f"relay{number}", wait=True, **clock_environment(hours))
            for name in [f"relay{number}", *(worker for worker in cluster.workers() if int(worker[-1]) == number)]:
                off = eventually(partial(clock_offset, cluster, name), within=20, what=f"{name} has recorded its time")
                assert abs(off - int(hours) * HOUR_S) < HOUR_S / 2, f"the clock of {name} is wrong by {off:.0f} s"

        def both_have_worked() -> bool:
            place_and_settle(cluster, client, orders=4)
            return all(done_by(cluster, name, since=since) for name in cluster.workers("orders", "inventory"))

        eventually(both_have_worked, within=30, what="workers with either clock have handled something")
        for table, column in TIME_COLUMNS:
            future = cluster.sql(f"SELECT count(*) FROM {table} WHERE {column} > clock_timestamp()")
            assert future == [(0,)], f"{table}.{column} is in the future"
    finally:
        restart_wrong(cluster, wrong=lambda process: "FAKETIME" in process.environ())
        remove_clock_files(cluster)


def remove_clock_files(cluster: Cluster) -> None:
    """Delete the recorded times, and the shared memory that libfaketime leaves for each process."""
    for file in cluster.fault_directory.glob("clock.*"):
        file.unlink()
        for left in ("faketime_shm_", "sem.faketime_sem_"):
            Path("/dev/shm", f"{left}{file.suffix.lstrip('.')}").unlink(missing_ok=True)


def clock_offset(cluster: Cluster, name: str) -> float:
    """By how many seconds the clock of a process is wrong; 0 until the process has recorded it."""
    file = cluster.fault_directory / f"clock.{cluster.main_process(name).pid}"
    return float(file.read_text() or 0) - file.stat().st_mtime if file.exists() else 0.0


def done_by(cluster: Cluster, name: str, *, since: object) -> bool:
    """Whether a worker has settled anything since this time."""
    query = "SELECT 1 FROM bus_receipt WHERE worker LIKE %s AND settled_at > %s LIMIT 1"
    return bool(cluster.sql(query, f"%:{cluster.pool_process(name).pid}", since))
