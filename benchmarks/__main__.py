"""python -m benchmarks: how fast Orderly is, beside the usual Celery code and the limit of the database.

Starts a PostgreSQL with default settings and a Redis, or uses those that DATABASE_URL and BROKER_URL name. Measures
each system in each workload in turn, in several rounds, each time on a fresh copy of a database with a history of
settled orders. docs/performance.md explains the columns.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.broker import broker
from benchmarks.harness import MIN_HISTORY_ORDERS, Harness, in_turn
from benchmarks.measurement import Measurement
from benchmarks.report import Result, ratios, show
from benchmarks.servers import database_server, exit_on_sigterm
from benchmarks.systems import SYSTEMS, System
from benchmarks.workloads import WORKLOADS, Workload

QUICK_SYSTEMS = ("ours", "naive", "limit", "bare")
#: Systems that need minutes for what ours does in seconds, and the most orders they get unless --orders says otherwise.
#: Fewer orders leave smaller tables, which is to their advantage. With --quick they get a share of the orders.
SLOW_SYSTEMS, MAX_SLOW_ORDERS, QUICK_SHARE = ("naive", "untuned", "outbox"), 3_000, 0.1
#: On SQLite the limit is missing, which needs a second writer, and the outbox package, which refuses SQLite.
SQLITE_SYSTEMS = ("ours", "naive", "untuned", "bare")


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = arguments()
    plan = planned(options)
    exit_on_sigterm()
    console = Console(width=None if sys.stdout.isatty() else 200)
    measured: defaultdict[tuple[str, str], list[Measurement]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-bench-") as directory,
        database_server(Path(directory), vendor=options.database) as server,
        broker(Path(directory)) as redis,
    ):
        harness = Harness(Path(directory), server=server, broker=redis, history=options.history)
        in_force = {**server.settings(), "broker": redis.version()}
        console.print("  ".join(f"{name}={value}" for name, value in in_force.items()))
        start = time.monotonic()
        harness.prepare(system for _, system, _ in plan)
        console.print(f"{options.history:,} settled orders for each, analyzed, in {time.monotonic() - start:.0f} s")
        console.print(
            f"safeguards that are on: {'; '.join(harness.ours['safety'])}; receipts (verified after each run)"
        )
        for round_ in range(1, options.rounds + 1):
            for workload, system, orders in in_turn(plan, round_):
                measurement = harness.measure(system, workload, orders=orders, round_=round_)
                measured[workload.name, system.name].append(measurement)
                console.print(
                    f"round {round_}  {workload.name:8} {system.name:8} {measurement.rate:8,.0f} orders/s "
                    f"{measurement.cpu_per_thousand:8.2f} CPU-s per 1,000"
                )
    results = [
        Result(workload=workload.name, system=system.name, rounds=measured[workload.name, system.name])
        for workload, system, _ in plan
    ]
    show(console, results)
    options.json.write_text(
        json.dumps(
            {
                "machine": {"cpus": os.cpu_count(), "memory_mb": round(psutil.virtual_memory().total / 1e6)},
                "python": platform.python_version(),
                "settings": in_force,
                "safeguards": harness.ours["safety"],
                "history": options.history,
                "results": [result.as_json() for result in results],
                "ratios": ratios(results),
            },
            indent=2,
        )
        + "\n"
    )
    console.print(f"written to {options.json}")


def arguments() -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", type=names_of(WORKLOADS), help=f"some of {','.join(WORKLOADS)}; default: all")
    parser.add_argument("--systems", type=names_of(SYSTEMS), help=f"some of {','.join(SYSTEMS)}; default: all that fit")
    parser.add_argument("--orders", type=int, help="in each measurement; default: set by the workload")
    parser.add_argument("--rounds", type=int, help="default: 3, and 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="fewer orders, and only the main systems and workloads")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--history", type=int, default=MIN_HISTORY_ORDERS, help="settled orders (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="the file (default: %(default)s)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def names_of(known: Mapping[str, object]) -> Callable[[str], list[str]]:
    """A type for argparse: known names with commas between them."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
        return found

    return names


def planned(options: argparse.Namespace) -> list[tuple[Workload, System, int]]:
    """The measurements of a round: workload, system, number of orders."""
    plan = []
    for workload in WORKLOADS.values():
        by_default = not options.quick or workload.quick_orders > 0
        if not (workload.name in options.workload if options.workload else by_default):
            continue
        orders = options.orders or (workload.quick_orders if options.quick else 0) or workload.orders
        for name in options.systems or (QUICK_SYSTEMS if options.quick else workload.systems):
            if name not in workload.systems or (options.database == "sqlite" and name not in SQLITE_SYSTEMS):
                continue
            given = orders
            if name in SLOW_SYSTEMS and workload.how != "rate":
                given = int(orders * QUICK_SHARE) if options.quick else options.orders or min(orders, MAX_SLOW_ORDERS)
            plan.append((workload, SYSTEMS[name], given))
    return plan


if __name__ == "__main__":
    main()
