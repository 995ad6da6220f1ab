"""python -m benchmarks.growth: what becomes of ours as it grows; PostgreSQL, started for it or that of DATABASE_URL.

settled   throughput, and the cost of looks and claims, with millions of settled events behind, and without
backlog   the same with a large backlog, and how fast it is drained
scale     throughput with 1, 2 and 4 workers, of two processes each, for each queue, and with 1 and 2 relays
steady    minutes at full rate: rate, bloat of tables and indexes, memory; then the same beside an open snapshot
memory    what relay and workers hold after half of the orders and after all
idle      the CPU that a system takes to which nobody comes
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

from benchmarks.processes import Meter, Processes, ask, tell
from benchmarks.settled import load
from benchmarks.stage import LEAST_HISTORY, Stage, agent, stage_for_ours, turn
from benchmarks.systems import SYSTEMS
from benchmarks.workloads import WORKLOADS

OURS = SYSTEMS["ours"]
#: Seconds between two lines while a rate is kept up.
SAMPLE = 10.0
#: Tables whose rows come and go or change; in all others they only come.
CHURNED = ("bus_delivery", "orders_order", "inventory_stock")

SIZES = """
    SELECT relname, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid)
    FROM pg_stat_user_tables WHERE relname = ANY('{{{tables}}}') ORDER BY relname
"""
RECEIPTS = "SELECT pg_stat_get_tuples_inserted('bus_receipt'::regclass)"
Figures = dict[str, Any]


class Growth:
    """What the sub-commands share."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self.stage, self._console = stage, console

    def say(self, text: str) -> None:
        """A line for whoever waits."""
        self._console.print(text)

    def costs(self, database: str) -> Figures:
        """Milliseconds of a look of the relay and of claims."""
        with self.stage.running(OURS, database, ()) as processes:
            said: Figures = ask(
                processes.start("costs", agent(OURS, "costs"), talks=True), printed=lambda: processes.printed("costs")
            )
        return said

    def settled(self, *, events: int, orders: int, rounds: int) -> Figures:
        """With millions of settled events and without, in turn."""
        grown = self.copy("bench_grown")
        load(self.stage.server, grown, events=events, say=self.say)
        costs = {"without": self.costs(self.stage.fresh(OURS)), "with": self.costs(grown)}
        rates: dict[str, list[float]] = {"without": [], "with": []}
        for round_ in range(1, rounds + 1):
            # As tidy as the fresh copy: what the round before left is not what is to be measured.
            self.stage.server.analyze(grown)
            for name, database in turn((("without", self.stage.fresh(OURS)), ("with", grown)), round_):
                measured = self.stage.measure(OURS, WORKLOADS["bulk"], orders=orders, round_=round_, database=database)
                rates[name].append(measured.rate)
                self.say(f"round {round_}, {name}: {measured.rate:,.0f} orders/s")
        return {
            "events": events,
            "orders_per_second": rates,
            "ratio": median(rates["with"]) / median(rates["without"]),
            "costs_ms": costs,
        }

    def backlog(self, *, orders: int) -> Figures:
        """A large backlog: costs while it is there, and the rate at which it is drained."""
        database = self.stage.fresh(OURS)
        without = self.costs(database)
        with self.stage.running(OURS, database, ()) as processes:
            place = agent(OURS, "place", "--how", "bulk", "--orders", str(orders), "--seed", "7")
            placer = processes.start("placer", place, talks=True)
            ask(placer)
            tell(placer)
            placed = ask(placer, printed=lambda: processes.printed("placer"))
        self.say(f"{orders:,} placed in {placed['seconds']:.0f} s")
        self.stage.server.analyze(database)
        with_backlog = self.costs(database)
        rates = []
        with self.stage.running(OURS, database, OURS.carriers):
            settled, at = self.settled_orders(database), time.monotonic()
            while self.sql(database, "SELECT 1 FROM orders_order WHERE status = 'placed' LIMIT 1"):
                time.sleep(SAMPLE)
                now, time_now = self.settled_orders(database), time.monotonic()
                rates.append((now - settled) / (time_now - at))
                settled, at = now, time_now
                self.say(f"{rates[-1]:,.0f} orders/s")
        return {
            "orders": orders,
            "costs_ms": {"without": without, "with": with_backlog},
            # The last sample is of a time in which there was nothing left to do.
            "orders_per_second": rates[:-1] or rates,
        }

    def scale(self, *, orders: int, rounds: int) -> Figures:
        """More workers, more relays."""
        rates: dict[str, list[float]] = {}
        for round_ in range(1, rounds + 1):
            for workers, relays in turn(((1, 1), (2, 1), (4, 1), (1, 2), (2, 2)), round_):
                programs = {}
                for name in OURS.carriers:
                    for number in range(1, (relays if name == "relay" else workers) + 1):
                        # A worker's name is its queue's, at its host; two need two.
                        command = self.stage.ours["programs"][name]
                        programs[f"{name}{number}"] = [word.replace("@%h", f"{number}@%h") for word in command]
                measured = self.stage.measure(
                    replace(OURS, carriers=tuple(programs)),
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
        """Full rate for so long, and once more while somebody holds a snapshot open."""
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
        """Rate, memory and bloat."""
        database = self.stage.fresh(OURS)
        before = self.sizes(database)
        samples: list[Figures] = []
        with self.holding_snapshot(database) if snapshot else nullcontext():
            with self.placing(database, seconds=60 * minutes) as (processes, placer):
                meter = Meter(carriers_of(processes))
                start = at = time.monotonic()
                first = settled = self.settled_orders(database)
                while placer.poll() is None:
                    time.sleep(SAMPLE)
                    meter.look()
                    now, time_now = self.settled_orders(database), time.monotonic()
                    samples.append({"second": time_now - start, "orders_per_second": (now - settled) / (time_now - at)})
                    settled, at = now, time_now
                    self.say(f"{samples[-1]['second']:4.0f} s: {samples[-1]['orders_per_second']:,.0f} orders/s")
            after = self.sizes(database)
        # The last sample is of a time in which nobody placed any more.
        return {
            "orders": settled - first,
            "orders_per_second": (settled - first) / (at - start),
            "samples": samples[:-1] or samples,
            "peak_memory_mb": meter.peaks,
            "tables": {"before": before, "after": after},
        }

    def memory(self, *, orders: int) -> Figures:
        """What the processes hold after half of the orders and after all of them."""
        database = self.stage.fresh(OURS)
        held = {}
        with self.placing(database, seconds=3_600) as (processes, _):
            first = self.settled_orders(database)
            for wanted in (orders // 2, orders):
                while self.settled_orders(database) - first < wanted:
                    time.sleep(0.5)
                meter = Meter(carriers_of(processes))
                meter.look()
                held[f"after {wanted} orders, MB"] = meter.peaks
                self.say(f"after {wanted:,} orders: {meter.peaks}")
        return held

    def idle(self, *, seconds: float) -> Figures:
        """Percent of one core, by process."""
        database = self.stage.fresh(OURS)
        with self.stage.running(OURS, database, tuple(self.stage.ours["programs"])) as processes:
            servers = {"postgres": self.stage.server.pid, "redis": self.stage.broker.pid}
            time.sleep(10)  # what is done once after a start
            meter = Meter({**processes.pids(), **{name: pid for name, pid in servers.items() if pid}})
            start = time.monotonic()
            time.sleep(seconds)
            spent = meter.cpu()
            lasted = time.monotonic() - start
        shares = {name: 100 * share / lasted for name, share in spent.items()}
        return {"percent_of_one_core": {"all": sum(shares.values()), **shares}}

    def sql(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Rows."""
        return self.stage.server.rows(database, query)

    def copy(self, database: str) -> str:
        """A fresh copy under a name of its own."""
        self.stage.server.copy("bench_ours_template", database)
        return database

    def settled_orders(self, database: str) -> int:
        """How many orders were carried to their end, by the database's own count of receipts, a second old."""
        return int(self.sql(database, RECEIPTS)[0][0]) // 2

    def sizes(self, database: str) -> Figures:
        """Dead rows and bytes of what changes."""
        rows = self.sql(database, SIZES.format(tables=",".join(CHURNED)))
        names = ("dead_rows", "table_bytes", "index_bytes")
        return {table: dict(zip(names, figures, strict=True)) for table, *figures in rows}

    @contextmanager
    def placing(self, database: str, *, seconds: float) -> Iterator[tuple[Processes, Any]]:
        """The system at work, with somebody who places in bulk for so long, always some seconds ahead."""
        self.stage.broker.empty()
        with self.stage.running(OURS, database, OURS.carriers) as processes:
            place = agent(OURS, "place", "--how", "steady", "--seconds", str(seconds), "--warm-up", "100")
            placer = processes.start("placer", place, talks=True)
            ask(placer, printed=lambda: processes.printed("placer"))
            tell(placer)
            yield processes, placer

    @contextmanager
    def holding_snapshot(self, database: str) -> Iterator[None]:
        """As a long report does."""
        with closing(self.stage.server.connect(database)) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM bus_delivery")
            yield


def carriers_of(processes: Processes) -> dict[str, int]:
    """The pids of relay and workers."""
    return {name: pid for name, pid in processes.pids().items() if name != "placer"}


def main() -> None:
    """Do what the command line says, and print and write its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--history", type=int, default=LEAST_HISTORY, help="settled orders before (default: %(default)s)"
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
    with stage_for_ours(history=history) as stage:
        figures = {verb: getattr(Growth(stage, console), verb)(**options), "settings": stage.server.settings()}
    file.write_text(json.dumps(figures, indent=2) + "\n")
    console.print_json(data=figures)


if __name__ == "__main__":
    main()
