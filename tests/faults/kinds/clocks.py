"""Clocks that are wrong, process by process, by libfaketime. The database's clock decides, so it does not matter."""

from pathlib import Path

from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.faults.kinds.releases import drained_with, end, replace, roll_workers
from tests.system import eventually

HOUR = 3600
#: Where distributions put it: Debian, Fedora, Arch.
LIBRARY = next(
    (
        str(library)
        for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib")
        for pattern in ("*/faketime/libfaketime.so.1", "faketime/libfaketime.so.1")
        for library in Path(folder).glob(pattern)
    ),
    "",
)
#: Times that processes write, of which none may be in the future.
TIMES = (
    ("bus_event", "time"),
    ("bus_receipt", "ended_at"),
    ("orders_order", "placed_at"),
    ("orders_order", "changed_at"),
    ("orders_orderchange", "at"),
    ("inventory_movement", "at"),
)


def clock(hours: str) -> dict[str, str]:
    """The environment of a process whose clock is off by so many hours, and that measures time as ever."""
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": f"{hours}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@fault("clocks an hour ahead and an hour behind", area="clock", seconds=30, lacks="" if LIBRARY else "libfaketime")
def apart(cluster: Cluster, client: Client) -> None:
    """One relay and one worker of each queue live in the future, the others in the past."""
    assert LIBRARY, "install libfaketime"
    since = cluster.now()
    try:
        for number, hours in ((1, "+1"), (2, "-1")):
            roll_workers(cluster, client, number=number, **clock(hours))
            end(cluster, f"relay{number}")
            cluster.start_named(f"relay{number}", **clock(hours))
            for name in [f"relay{number}", *(worker for worker in cluster.workers() if int(worker[-1]) == number)]:
                off = eventually(lambda name=name: says(cluster, name), within=20, what=f"{name} says the time")
                assert abs(off - int(hours) * HOUR) < HOUR / 2, f"the clock of {name} is off by {off:.0f} s"

        def both_have_worked() -> bool:
            drained_with(cluster, client, orders=4)
            return all(done_by(cluster, name, since=since) for name in cluster.workers("orders", "inventory"))

        eventually(both_have_worked, within=30, what="those ahead and those behind have done something")
        for table, column in TIMES:
            future = cluster.sql(f"SELECT count(*) FROM {table} WHERE {column} > clock_timestamp()")
            assert future == [(0,)], f"{table}.{column} is in the future"
    finally:
        replace(cluster, wrong=lambda process: "FAKETIME" in process.environ())
        forget(cluster)


def forget(cluster: Cluster) -> None:
    """Take away what those processes have said, and the shared memory that libfaketime leaves of each."""
    for file in cluster.points.glob("clock.*"):
        file.unlink()
        for left in ("faketime_shm_", "sem.faketime_sem_"):
            Path("/dev/shm", f"{left}{file.suffix.lstrip('.')}").unlink(missing_ok=True)


def says(cluster: Cluster, name: str) -> float:
    """By how many seconds a process that has said what it takes the time to be is off; 0 when it has not."""
    file = cluster.points / f"clock.{cluster.main(name).pid}"
    return float(file.read_text() or 0) - file.stat().st_mtime if file.exists() else 0.0


def done_by(cluster: Cluster, name: str, *, since: object) -> bool:
    """Whether a worker has done anything since a moment."""
    query = "SELECT 1 FROM bus_receipt WHERE worker LIKE %s AND ended_at > %s LIMIT 1"
    return bool(cluster.sql(query, f"%:{cluster.child(name).pid}", since))
