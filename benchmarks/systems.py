"""The systems that are compared: ours, the naive peer in three variants, and the limits."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from project.console.harness import programs

#: Every system that signs tokens needs one.
SECRET_KEY = "of-databases-that-are-dropped-when-the-benchmark-ends"  # noqa: S105

NAIVE_WORKERS = ("inventory", "orders")


@dataclass(frozen=True, kw_only=True)
class System:
    """A system to measure."""

    name: str
    #: The module with its functions for benchmarks/agent.py.
    shop: str
    environment: Mapping[str, str] = field(default_factory=dict)
    #: The system whose template database it starts from.
    template_of: str = ""
    #: The names of its tables.
    tables: Mapping[str, str] = field(default_factory=dict)
    #: Commands by name, with placeholders {port} and {pool_size}; those of ours come from `manage.py up`.
    programs: Mapping[str, list[str]] = field(default_factory=dict)
    #: The programs that take an order from placed to confirmed.
    order_programs: tuple[str, ...] = ()
    #: How many processes place orders in bulk.
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


#: Where their web servers listen.
ADDRESS = "127.0.0.1:{port}"
OUTBOX_RELAY = [
    *(sys.executable, "-m", "django", "celery_outbox_relay"),
    # By default it sleeps for a second after each batch that was not full, which would add latency.
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
        template_of="naive",
        tables=NAIVE_TABLES,
        programs=NAIVE_PROGRAMS,
        order_programs=NAIVE_WORKERS,
    )


SYSTEMS = {
    system.name: system
    for system in (
        System(
            name="ours",
            shop="benchmarks.peers.ours",
            environment={"DJANGO_SETTINGS_MODULE": "project.settings"},
            template_of="ours",
            tables=OUR_TABLES,
            order_programs=("relay", "users", "orders", "inventory"),
        ),
        _naive("naive"),
        _naive("untuned", tuned=False),
        System(
            name="outbox",
            shop="benchmarks.peers.naive.shop",
            environment={**NAIVE_SETTINGS, "PEER_OUTBOX": "1"},
            template_of="outbox",
            tables=NAIVE_TABLES,
            programs={**NAIVE_PROGRAMS, "relay": OUTBOX_RELAY},
            order_programs=("relay", *NAIVE_WORKERS),
        ),
        System(
            name="bare",
            shop="benchmarks.peers.ours",
            environment={"DJANGO_SETTINGS_MODULE": "project.settings"},
            template_of="ours",
            tables=OUR_TABLES,
            programs={"web": programs.web("benchmarks.peers.bare_wsgi", address=ADDRESS)},
        ),
        System(name="limit", shop="benchmarks.peers.limit", template_of="ours", tables=OUR_TABLES, bulk_placers=2),
    )
}
