"""python -m tests.faults.backlog: let a backlog grow while no worker runs, then drain it.

Reports how much the broker's memory grew meanwhile, and how many deliveries were handed to a handler twice.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.faults import fault_events
from tests.faults.brokers import Redis
from tests.faults.cluster import cluster
from tests.system import eventually

EVENTS_PER_STATEMENT = 5_000
#: Bounds: the growth of the broker's memory, and the share of deliveries that are handed to a handler twice.
MAX_BROKER_GROWTH_BYTES, MAX_RETRIED_SHARE = 5_000_000, 0.001


def main() -> int:
    """Grow and drain a backlog; 1 if a bound was exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, metavar="N", help="events of the backlog (200000)")
    parser.add_argument("--minutes", type=float, default=10, metavar="M", help="how long no worker runs (10)")
    options = parser.parse_args()
    console = Console(highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-backlog-") as directory,
        cluster(Path(directory), broker="redis") as started,
    ):
        broker = started.broker
        assert isinstance(broker, Redis)
        started.terminate(*started.workers())
        before = int(broker.client.info("memory")["used_memory"])
        stopped = time.monotonic()
        for first in range(0, options.events, EVENTS_PER_STATEMENT):
            numbers = range(first, min(first + EVENTS_PER_STATEMENT, options.events))
            fault_events.publish(started, "faults.counted", [{"number": number} for number in numbers])
        console.print(f"{options.events:,} events are published after {time.monotonic() - stopped:.0f} s")
        time.sleep(max(0.0, options.minutes * 60 - (time.monotonic() - stopped)))
        grown = int(broker.client.info("memory")["used_memory"]) - before
        console.print(f"the broker's memory grew by {grown:,} bytes in {time.monotonic() - stopped:.0f} s")
        began = time.monotonic()
        started.start_workers(*started.workers("users"))
        eventually(
            lambda: not started.sql("SELECT 1 FROM bus_delivery WHERE handler = 'faults.count' LIMIT 1"),
            within=1800,
            what="the backlog is drained",
        )
        drained = time.monotonic() - began
        console.print(
            f"drained {drained:.0f} s after the start of the workers: {options.events / drained:,.0f} a second"
        )
        twice = started.sql("SELECT count(*) FROM bus_receipt WHERE handler = 'faults.count' AND attempts > 1")[0][0]
        ((rows, events),) = started.sql("SELECT count(*), count(DISTINCT event_id) FROM faults_effect")
        console.print(f"handed to a handler twice: {twice} ({twice / options.events:.3%})")
        console.print(f"effects: {rows:,} of {events:,} events")
    kept = (
        grown < MAX_BROKER_GROWTH_BYTES
        and twice < options.events * MAX_RETRIED_SHARE
        and rows == events == options.events
    )
    console.print("bounds: " + ("kept" if kept else "BROKEN"))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
