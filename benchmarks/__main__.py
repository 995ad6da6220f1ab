"""python -m benchmarks: how fast ours is, beside what people write today and what the database can do.

Starts a PostgreSQL with stock settings and a Redis, or uses those that DATABASE_URL and BROKER_URL name. Each system is
measured in each workload in turn, in several rounds, each time on a fresh copy of a database with a history of settled
orders. docs/performance.md tells what the columns mean.
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

from benchmarks.report import Result, ratios, show
from benchmarks.run import Measurement
from benchmarks.servers import broker, database_server, end_in_order
from benchmarks.stage import LEAST_HISTORY, Stage, turn
from benchmarks.systems import SYSTEMS, System
from benchmarks.workloads import WORKLOADS, Workload

QUICK_SYSTEMS = ("ours", "naive", "limit", "bare")
#: What takes minutes for what ours does in seconds, and the most orders it is given unless --orders says: a rate is a
#: rate, and fewer orders leave smaller tables, which is to its advantage. With --quick it is given a share.
SLOW, SLOW_MOST, QUICK_SHARE = ("naive", "untuned", "outbox"), 3_000, 0.1
#: What there is on SQLite: no second writer that a limit could be made of, and the outbox package refuses it.
SQLITE_SYSTEMS = ("ours", "naive", "untuned", "bare")


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    plan = planned(options)
    end_in_order()
    console = Console(width=None if sys.stdout.isatty() else 200)
    measured: defaultdict[tuple[str, str], list[Measurement]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-bench-") as directory,
        database_server(Path(directory), vendor=options.database) as server,
        broker(Path(directory)) as redis,
    ):
        stage = Stage(Path(directory), server=server, broker=redis, history=options.history)
        force = {**server.settings(), "broker": redis.version()}
        console.print("  ".join(f"{name}={value}" for name, value in force.items()))
        start = time.monotonic()
        stage.prepare(system for _, system, _ in plan)
        console.print(f"{options.history:,} settled orders for each, analyzed, in {time.monotonic() - start:.0f} s")
        console.print(f"safeguards of ours, on: {'; '.join(stage.ours['safety'])}; receipts (counted after each run)")
        for round_ in range(1, options.rounds + 1):
            for workload, system, orders in turn(plan, round_):
                measurement = stage.measure(system, workload, orders=orders, round_=round_)
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
                "settings": force,
                "safeguards": stage.ours["safety"],
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
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", type=names_of(WORKLOADS), help=f"some of {','.join(WORKLOADS)}; default: all")
    parser.add_argument("--systems", type=names_of(SYSTEMS), help=f"some of {','.join(SYSTEMS)}; default: all that fit")
    parser.add_argument("--orders", type=int, help="in each measurement; default: as the workload says")
    parser.add_argument("--rounds", type=int, help="default: 3, and 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="less of each, and only what matters most")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--history", type=int, default=LEAST_HISTORY, help="settled orders (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="the file (default: %(default)s)")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def names_of(known: Mapping[str, object]) -> Callable[[str], list[str]]:
    """A type for argparse: names with commas between, all of them known."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: take some of {', '.join(known)}")
        return found

    return names


def planned(options: argparse.Namespace) -> list[tuple[Workload, System, int]]:
    """Who is measured in what, with how many orders; one round of it."""
    plan = []
    for workload in WORKLOADS.values():
        by_default = not options.quick or workload.quick > 0
        if not (workload.name in options.workload if options.workload else by_default):
            continue
        orders = options.orders or (workload.quick if options.quick else 0) or workload.orders
        for name in options.systems or (QUICK_SYSTEMS if options.quick else workload.systems):
            if name not in workload.systems or (options.database == "sqlite" and name not in SQLITE_SYSTEMS):
                continue
            given = orders
            if name in SLOW and workload.how != "rate":
                given = int(orders * QUICK_SHARE) if options.quick else options.orders or min(orders, SLOW_MOST)
            plan.append((workload, SYSTEMS[name], given))
    return plan


if __name__ == "__main__":
    main()
