"""What the systems are given to do."""

from dataclasses import dataclass

PEERS = ("ours", "naive", "outbox")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One of them: who places, how, and how many."""

    name: str
    #: How orders are placed: `bulk`, `one` or `rate` (benchmarks/agent.py), or `http`.
    how: str
    systems: tuple[str, ...]
    orders: int
    #: In `make bench-quick`; 0, not at all.
    quick: int = 0
    placers: int = 1
    mix: str = "uniform"
    #: All are placed before anybody may work at them, and then the clock starts.
    backlog: bool = False
    #: Only the web server runs, and the clock stops when all are placed.
    web_alone: bool = False
    #: Mails are sent, and the clock stops with the last of them.
    mail: bool = False


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(name="backlog", how="bulk", backlog=True, systems=PEERS, orders=20_000),
        Workload(name="bulk", how="bulk", systems=(*PEERS, "untuned", "limit"), orders=20_000, quick=10_000),
        Workload(name="hot", how="bulk", mix="hot", systems=("ours", "naive", "limit"), orders=20_000),
        Workload(name="one", how="one", systems=(*PEERS, "limit"), orders=3_000, quick=1_000),
        Workload(name="sixteen", how="one", placers=16, systems=(*PEERS, "limit"), orders=4_800),
        Workload(name="http", how="http", systems=PEERS, orders=3_000),
        Workload(name="intake", how="http", web_alone=True, systems=("ours", "bare"), orders=3_000, quick=1_000),
        Workload(name="latency", how="rate", systems=PEERS, orders=400, quick=120),
        Workload(name="mail", how="bulk", mail=True, systems=PEERS, orders=2_000),
    )
}
