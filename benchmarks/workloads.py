"""The workloads: how orders are placed, and how many."""

from dataclasses import dataclass

COMPARED_SYSTEMS = ("ours", "naive", "outbox")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A workload for systems to be measured in."""

    name: str
    #: How orders are placed: `bulk`, `one` or `rate` (benchmarks/agent.py), or `http`.
    how: str
    systems: tuple[str, ...]
    orders: int
    #: Orders in `make bench-quick`; 0 leaves the workload out.
    quick_orders: int = 0
    placers: int = 1
    mix: str = "uniform"
    #: The clock starts after all orders are placed; until then no worker runs.
    backlog: bool = False
    #: Only the web server runs, and the clock stops when all orders are placed.
    web_alone: bool = False
    #: Mails are sent, and the clock stops with the last one.
    mail: bool = False


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(name="backlog", how="bulk", backlog=True, systems=COMPARED_SYSTEMS, orders=20_000),
        Workload(
            name="bulk", how="bulk", systems=(*COMPARED_SYSTEMS, "untuned", "limit"), orders=20_000, quick_orders=10_000
        ),
        Workload(name="hot", how="bulk", mix="hot", systems=("ours", "naive", "limit"), orders=20_000),
        Workload(name="one", how="one", systems=(*COMPARED_SYSTEMS, "limit"), orders=3_000, quick_orders=1_000),
        Workload(name="sixteen", how="one", placers=16, systems=(*COMPARED_SYSTEMS, "limit"), orders=4_800),
        Workload(name="http", how="http", systems=COMPARED_SYSTEMS, orders=3_000),
        Workload(name="intake", how="http", web_alone=True, systems=("ours", "bare"), orders=3_000, quick_orders=1_000),
        Workload(name="latency", how="rate", systems=COMPARED_SYSTEMS, orders=400, quick_orders=120),
        Workload(name="mail", how="bulk", mail=True, systems=COMPARED_SYSTEMS, orders=2_000),
    )
}
