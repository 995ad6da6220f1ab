"""python -m benchmarks.steps: how long each step of an order takes, from placed to confirmed, on PostgreSQL.

Each step runs alone in one process, in batches of 500, so no time is spent waiting for other processes.
"""

import argparse
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table

from benchmarks.harness import agent, harness_for_ours
from benchmarks.systems import SYSTEMS

OURS = SYSTEMS["ours"]
STEPS = ("place", "reserve", "confirm")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000, help="(default: %(default)s)")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with harness_for_ours() as harness, harness.running(OURS, harness.fresh(OURS), ()) as processes:
        command = agent(OURS, "steps", "--orders", str(options.orders))
        found = processes.ask("steps", *command)
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
