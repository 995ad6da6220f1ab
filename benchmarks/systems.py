"""What is measured side by side: ours, the naive peer in three ways, and the limit."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from project.console import programs

#: For all of them: whoever signs tokens needs one.
SECRET = "of-databases-that-are-dropped-when-the-benchmark-ends"  # noqa: S105

NAIVE_WORKERS = ("inventory", "orders")


@dataclass(frozen=True, kw_only=True)
class System:
    """One of those measured."""

    name: str
    #: The module of its verbs (benchmarks/agent.py), and its settings.
    shop: str
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Whose database it begins with a copy of.
    history: str = ""
    #: What comes before the names of its tables.
    tables: Mapping[str, str] = field(default_factory=dict)
    #: Commands by name, with {port} and {pool_size} left open; ours are asked of `manage.py up` with its history.
    programs: Mapping[str, list[str]] = field(default_factory=dict)
    #: Those that carry an order from placed to confirmed.
    carriers: tuple[str, ...] = ()
    #: How many processes place in bulk.
    bulk_placers: int = 1


OUR_TABLES = {
    "order": "orders_order",
    "line": "orders_orderline",
    "change": "orders_orderchange",
    "product": "inventory_product",
    "stock": "inventory_stock",
    "reservation": "inventory_reservation",
    "movement": "inventory_movement",
}
NAIVE_TABLES = {name: f"naive_{table.split('_')[1]}" for name, table in OUR_TABLES.items()}


#: Where a web server of theirs listens.
ADDRESS = "127.0.0.1:{port}"
OUTBOX_RELAY = [
    *(sys.executable, "-m", "django", "celery_outbox_relay"),
    # It sleeps a second by default whenever a set was not full: that would be latency on purpose.
    *("--idle-time", "0.01"),
]
NAIVE_PROGRAMS = {
    **{
        queue: programs.worker(queue, app="benchmarks.peers.naive.celery", processes="{pool_size}")
        for queue in (*NAIVE_WORKERS, "external")
    },
    "web": programs.web("benchmarks.peers.naive.wsgi", address=ADDRESS),
}
NAIVE_SETTINGS = {"DJANGO_SETTINGS_MODULE": "benchmarks.peers.naive.settings"}


def _naive(name: str, *, tuned: bool = True) -> System:
    return System(
        name=name,
        shop="benchmarks.peers.naive.shop",
        environment={**NAIVE_SETTINGS, "PEER_TUNED": str(int(tuned))},
        history="naive",
        tables=NAIVE_TABLES,
        programs=NAIVE_PROGRAMS,
        carriers=NAIVE_WORKERS,
    )


SYSTEMS = {
    system.name: system
    for system in (
        System(
            name="ours",
            shop="benchmarks.peers.ours",
            environment={"DJANGO_SETTINGS_MODULE": "project.settings"},
            history="ours",
            tables=OUR_TABLES,
            carriers=("relay", "users", "orders", "inventory"),
        ),
        _naive("naive"),
        _naive("untuned", tuned=False),
        System(
            name="outbox",
            shop="benchmarks.peers.naive.shop",
            environment={**NAIVE_SETTINGS, "PEER_OUTBOX": "1"},
            history="outbox",
            tables=NAIVE_TABLES,
            programs={**NAIVE_PROGRAMS, "relay": OUTBOX_RELAY},
            carriers=("relay", *NAIVE_WORKERS),
        ),
        System(
            name="bare",
            shop="benchmarks.peers.ours",
            environment={"DJANGO_SETTINGS_MODULE": "project.settings"},
            history="ours",
            tables=OUR_TABLES,
            programs={"web": programs.web("benchmarks.peers.bare_wsgi", address=ADDRESS)},
        ),
        System(name="limit", shop="benchmarks.peers.limit", history="ours", tables=OUR_TABLES, bulk_placers=2),
    )
}
