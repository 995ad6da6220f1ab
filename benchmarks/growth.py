"""python -m benchmarks.growth: how Orderly behaves as it grows, on PostgreSQL, started for it or named by DATABASE_URL.

settled   throughput, and the cost of polls and claims, with millions of settled events and without
backlog   the same with a large backlog, and how fast it is drained
scale     throughput with 1, 2 and 4 workers, of two processes each, for each queue, and with 1 and 2 relays
steady    minutes at full rate: rate, bloat of tables and indexes, memory; then the same beside an open snapshot
memory    the memory of relay and workers after half of the orders and after all
idle      the CPU time of a system without requests
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.cpu_meter import CpuMeter
from benchmarks.harness import MIN_HISTORY_ORDERS, Harness, agent, harness_for_ours, in_turn
from benchmarks.processes import MeasuredProcesses
from benchmarks.settled_events import load_settled_events
from benchmarks.systems import SYSTEMS
from benchmarks.workloads import WORKLOADS

OURS = SYSTEMS["ours"]
#: Between two printed lines while a rate is kept up.
SAMPLE_S = 10.0
#: Tables with updates or deletes; all others only grow.
UPDATED_TABLES = ("bus_delivery", "orders_order", "inventory_stock")

SIZES = """
    SELECT relname, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid)
    FROM pg_stat_user_tables WHERE relname = ANY('{{{tables}}}') ORDER BY relname
"""
COUNT_RECEIPTS = "SELECT pg_stat_get_tuples_inserted('bus_receipt'::regclass)"
Figures = dict[str, Any]


class Growth:
    """The subcommands, as methods."""

    def __init__(self, harness: Harness, console: Console) -> None:
        self.harness, self._console = harness, console

    def say(self, text: str) -> None:
        """Print a line of progress."""
        self._console.print(text)

    def costs(self, database: str) -> Figures:
        """Milliseconds of a poll of the relay and of claims."""
        with self.harness.running(OURS, database, ()) as processes:
            costs: Figures = processes.ask("costs", *agent(OURS, "costs"))
        return costs

    def settled(self, *, events: int, orders: int, rounds: int) -> Figures:
        """Rates and costs with millions of settled events and without, in turn."""
        grown = self.copy("bench_grown")
        load_settled_events(self.harness.server, grown, events=events, say=self.say)
        costs = {"without": self.costs(self.harness.fresh(OURS)), "with": self.costs(grown)}
        rates: dict[str, list[float]] = {"without": [], "with": []}
        for round_ in range(1, rounds + 1):
            # As tidy as the fresh copy: what the round before left must not be measured.
            self.harness.server.analyze(grown)
            for name, database in in_turn((("without", self.harness.fresh(OURS)), ("with", grown)), round_):
                measured = self.harness.measure(
                    OURS, WORKLOADS["bulk"], orders=orders, round_=round_, database=database
                )
                rates[name].append(measured.rate)
                self.say(f"round {round_}, {name}: {measured.rate:,.0f} orders/s")
        return {
            "events": events,
            "orders_per_second": rates,
            "ratio": median(rates["with"]) / median(rates["without"]),
            "costs_ms": costs,
        }

    def backlog(self, *, orders: int) -> Figures:
        """Costs beside a large backlog, and the rate at which it is drained."""
        database = self.harness.fresh(OURS)
        without = self.costs(database)
        with self.harness.running(OURS, database, ()) as processes:
            place = agent(OURS, "place", "--how", "bulk", "--orders", str(orders), "--seed", "7")
            processes.ask("placer", *place)
            processes.tell("placer")
            placed = processes.receive("placer")
        self.say(f"{orders:,} placed in {placed['seconds']:.0f} s")
        self.harness.server.analyze(database)
        with_backlog = self.costs(database)
        rates = []
        with self.harness.running(OURS, database, OURS.order_programs):
            settled, at = self.settled_orders(database), time.monotonic()
            while self.sql(database, "SELECT 1 FROM orders_order WHERE status = 'placed' LIMIT 1"):
                time.sleep(SAMPLE_S)
                now, time_now = self.settled_orders(database), time.monotonic()
                rates.append((now - settled) / (time_now - at))
                settled, at = now, time_now
                self.say(f"{rates[-1]:,.0f} orders/s")
        return {
            "orders": orders,
            "costs_ms": {"without": without, "with": with_backlog},
            # During the last sample the work ran out.
            "orders_per_second": rates[:-1] or rates,
        }

    def scale(self, *, orders: int, rounds: int) -> Figures:
        """Rates with more workers and more relays."""
        rates: dict[str, list[float]] = {}
        for round_ in range(1, rounds + 1):
            for workers, relays in in_turn(((1, 1), (2, 1), (4, 1), (1, 2), (2, 2)), round_):
                programs = {}
                for name in OURS.order_programs:
                    for number in range(1, (relays if name == "relay" else workers) + 1):
                        # A worker's name is unique on its host.
                        command = self.harness.ours["programs"][name]
                        programs[f"{name}{number}"] = [word.replace("@%h", f"{number}@%h") for word in command]
                measured = self.harness.measure(
                    replace(OURS, order_programs=tuple(programs)),
                    WORKLOADS["bulk"],
                    orders=orders,
                    round_=round_,
                    programs=programs,
                )
                name = f"{workers} workers a queue, {relays} relays"
                rates.setdefault(name, []).append(measured.rate)
                self.say(f"round {round_}, {name}: {measured.rate:,.0f} orders/s")
        return {"orders_per_second": rates}

    def steady(self, *, minutes: float) -> Figures:
        """A full rate for minutes, and once more beside an open snapshot."""
        free = self.at_full_rate(minutes=minutes, snapshot=False)
        held = self.at_full_rate(minutes=minutes, snapshot=True)
        full_rate = free["orders_per_second"]
        return {
            "minutes": minutes,
            "without_snapshot": free,
            "with_snapshot": held,
            "ratio": held["orders_per_second"] / full_rate,
            "ratio_of_last_sample": held["samples"][-1]["orders_per_second"] / full_rate,
        }

    def at_full_rate(self, *, minutes: float, snapshot: bool) -> Figures:
        """Rate, memory and bloat of minutes at full rate."""
        database = self.harness.fresh(OURS)
        before = self.sizes(database)
        samples: list[Figures] = []
        with self.holding_snapshot(database) if snapshot else nullcontext():
            with self.placing(database, seconds=60 * minutes) as processes:
                meter = CpuMeter(order_program_pids(processes))
                start = at = time.monotonic()
                first = settled = self.settled_orders(database)
                while "placer" in processes.pids():
                    time.sleep(SAMPLE_S)
                    meter.note_memory()
                    now, time_now = self.settled_orders(database), time.monotonic()
                    samples.append({"second": time_now - start, "orders_per_second": (now - settled) / (time_now - at)})
                    settled, at = now, time_now
                    self.say(f"{samples[-1]['second']:4.0f} s: {samples[-1]['orders_per_second']:,.0f} orders/s")
            after = self.sizes(database)
        # During the last sample the placer had ended.
        return {
            "orders": settled - first,
            "orders_per_second": (settled - first) / (at - start),
            "samples": samples[:-1] or samples,
            "peak_memory_mb": meter.peak_memory,
            "tables": {"before": before, "after": after},
        }

    def memory(self, *, orders: int) -> Figures:
        """Memory of the processes after half of the orders and after all of them."""
        database = self.harness.fresh(OURS)
        held = {}
        with self.placing(database, seconds=3_600) as processes:
            first = self.settled_orders(database)
            for wanted in (orders // 2, orders):
                while self.settled_orders(database) - first < wanted:
                    time.sleep(0.5)
                meter = CpuMeter(order_program_pids(processes))
                meter.note_memory()
                held[f"after {wanted} orders, MB"] = meter.peak_memory
                self.say(f"after {wanted:,} orders: {meter.peak_memory}")
        return held

    def idle(self, *, seconds: float) -> Figures:
        """CPU time in percent of one core, by process."""
        database = self.harness.fresh(OURS)
        with self.harness.running(OURS, database, tuple(self.harness.ours["programs"])) as processes:
            servers = {"postgres": self.harness.server.pid, "redis": self.harness.broker.pid}
            time.sleep(10)  # work that is done once after a start
            meter = CpuMeter({**processes.pids(), **{name: pid for name, pid in servers.items() if pid}})
            start = time.monotonic()
            time.sleep(seconds)
            spent = meter.cpu_seconds()
            lasted = time.monotonic() - start
        shares = {name: 100 * share / lasted for name, share in spent.items()}
        return {"percent_of_one_core": {"all": sum(shares.values()), **shares}}

    def sql(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self.harness.server.rows(database, query)

    def copy(self, database: str) -> str:
        """Copy the template to a database of this name."""
        self.harness.server.copy("bench_ours_template", database)
        return database

    def settled_orders(self, database: str) -> int:
        """How many orders were settled, from the database's statistics of receipts, which are a second old."""
        return int(self.sql(database, COUNT_RECEIPTS)[0][0]) // 2

    def sizes(self, database: str) -> Figures:
        """Dead rows and bytes of the updated tables, by table."""
        rows = self.sql(database, SIZES.format(tables=",".join(UPDATED_TABLES)))
        names = ("dead_rows", "table_bytes", "index_bytes")
        return {table: dict(zip(names, figures, strict=True)) for table, *figures in rows}

    @contextmanager
    def placing(self, database: str, *, seconds: float) -> Iterator[MeasuredProcesses]:
        """A running system, and a placer that stays some seconds ahead of it for this long."""
        self.harness.broker.empty()
        with self.harness.running(OURS, database, OURS.order_programs) as processes:
            place = agent(OURS, "place", "--how", "steady", "--seconds", str(seconds), "--warm-up", "100")
            processes.ask("placer", *place)
            processes.tell("placer")
            yield processes

    @contextmanager
    def holding_snapshot(self, database: str) -> Iterator[None]:
        """Keep a snapshot open, as a long report does."""
        with closing(self.harness.server.connect(database)) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM bus_delivery")
            yield


def order_program_pids(processes: MeasuredProcesses) -> dict[str, int]:
    """The pids of relay and workers."""
    return {name: pid for name, pid in processes.pids().items() if name != "placer"}


def main() -> None:
    """Run the subcommand, then print and write its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--history", type=int, default=MIN_HISTORY_ORDERS, help="settled orders before (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, default=Path("growth.json"), help="the file (default: %(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    settled = verbs.add_parser("settled")
    settled.add_argument("--events", type=int, default=10_000_000)
    backlog = verbs.add_parser("backlog")
    backlog.set_defaults(orders=1_000_000)
    memory = verbs.add_parser("memory")
    memory.set_defaults(orders=100_000)
    scale = verbs.add_parser("scale")
    for verb in (settled, scale):
        verb.add_argument("--rounds", type=int, default=3)
        verb.set_defaults(orders=20_000)
    for verb in (settled, scale, backlog, memory):
        verb.add_argument("--orders", type=int)
    verbs.add_parser("steady").add_argument("--minutes", type=float, default=10)
    verbs.add_parser("idle").add_argument("--seconds", type=float, default=60)
    options = vars(parser.parse_args())
    verb, file, history = options.pop("verb"), options.pop("json"), options.pop("history")
    console = Console(width=None if sys.stdout.isatty() else 160)
    with harness_for_ours(history=history) as harness:
        figures = {verb: getattr(Growth(harness, console), verb)(**options), "settings": harness.server.settings()}
    file.write_text(json.dumps(figures, indent=2) + "\n")
    console.print_json(data=figures)


if __name__ == "__main__":
    main()
