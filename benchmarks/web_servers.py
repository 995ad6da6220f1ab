"""python -m benchmarks.web_servers: orders a second that web servers accept, with two processes each and no workers.

Compares gunicorn as `manage.py up` runs it with one request at a time, with ASGI, and with granian, written in Rust.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness import harness_for_ours, in_turn
from benchmarks.measurement import Measurement
from benchmarks.report import Result
from benchmarks.systems import ADDRESS, SYSTEMS
from benchmarks.workloads import WORKLOADS
from project.console.harness.process import NotReady
from project.console.harness.programs import web

GRANIAN = [
    *(sys.executable, "-m", "granian", "--host", "127.0.0.1", "--port", "{port}", "--workers", "2", "--no-ws"),
    "--access-log",
]
OTHER_SERVERS = {
    "gunicorn, sync": web("project.wsgi", address=ADDRESS, threads=1),
    "gunicorn, ASGI": [*web("project.asgi", address=ADDRESS, threads=1), "--worker-class", "asgi"],
    "granian, 4 threads": [*GRANIAN, "--interface", "wsgi", "--blocking-threads", "4", "project.wsgi:application"],
    "granian, sync": [*GRANIAN, "--interface", "wsgi", "--blocking-threads", "1", "project.wsgi:application"],
    "granian, ASGI": [*GRANIAN, "--interface", "asginl", "project.asgi:application"],
}


def main() -> None:
    """Measure each server in turn, then print and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_servers", description=__doc__)
    parser.add_argument("--orders", type=int, default=3_000, help="orders in a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=Path("web_servers.json"), help="the file (default: %(default)s)")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    found: defaultdict[str, list[Measurement]] = defaultdict(list)
    failed: Counter[str] = Counter()
    with harness_for_ours() as harness:
        servers = {"as it is run": harness.ours["programs"]["web"]}
        servers |= OTHER_SERVERS
        for round_ in range(1, options.rounds + 1):
            for name, command in in_turn(servers.items(), round_):
                try:
                    measured = harness.measure(
                        SYSTEMS["ours"],
                        WORKLOADS["intake"],
                        orders=options.orders,
                        round_=round_,
                        programs={"web": command},
                    )
                except NotReady as error:  # which is a finding, too
                    console.print(f"round {round_}, {name}: not every request was answered\n{error}", highlight=False)
                    failed[name] += 1
                    continue
                found[name].append(measured)
                console.print(f"round {round_}, {name}: {measured.rate:,.0f} orders/s", highlight=False)
    results = {name: Result(workload="intake", system=name, rounds=rounds) for name, rounds in found.items()}
    table = Table("web server", "orders/s", "from - to", "CPU-s per 1,000", "peak MB of one process")
    for name, result in results.items():
        table.add_row(
            name,
            f"{result.rate:,.0f}",
            f"{min(result.rates):,.0f} - {max(result.rates):,.0f}",
            f"{result.cpu_per_thousand:.2f}",
            f"{result.memory()['web']:.0f}",
        )
    console.print(table)
    written = [result.as_json() | {"rounds_failed": failed[name]} for name, result in results.items()]
    options.json.write_text(json.dumps(written, indent=2) + "\n")


if __name__ == "__main__":
    main()
