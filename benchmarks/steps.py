"""python -m benchmarks.steps: where the time of one order goes, from placed to confirmed, in ours on PostgreSQL.

Each step by itself, in one process, in batches of 500 with nobody beside it: so no time is spent waiting for another.
"""

import argparse
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table

from benchmarks.processes import ask
from benchmarks.stage import agent, stage_for_ours
from benchmarks.systems import SYSTEMS

OURS = SYSTEMS["ours"]
STEPS = ("place", "reserve", "confirm")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000, help="(default: %(default)s)")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with stage_for_ours() as stage, stage.running(OURS, stage.fresh(OURS), ()) as processes:
        command = agent(OURS, "steps", "--orders", str(options.orders))
        found = ask(processes.start("steps", command, talks=True), printed=lambda: processes.printed("steps"))
    table = Table("step", "what", "microseconds an order", title=f"{options.orders:,} orders")
    sums: Counter[str] = Counter()
    for step, what, spent in sorted(found, key=lambda row: (STEPS.index(row[0]), -row[2])):
        sums[step] += spent
        table.add_row(step, what, f"{spent:.1f}")
    table.add_section()
    for step, spent in sums.items():
        table.add_row(step, "", f"{spent:.1f}")
    table.add_row("all", "", f"{sums.total():.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
