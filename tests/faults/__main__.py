"""python -m tests.faults: break the real system in forty ways, and count what was lost. `make faults` runs it."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults import campaign
from tests.faults.cluster import cluster
from tests.faults.kinds import KINDS

MAX_FINDINGS_SHOWN = 20


def main() -> int:
    """Run a campaign and print its tables; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Start the whole system on a PostgreSQL, a broker and a mail server of its own, place orders over HTTP,\n"
            "inject and end faults, and compare the client's history with the database."
        ),
        epilog="exit codes:\n  0  nothing lost, nothing duplicated\n  1  a promise was broken\n  2  wrong arguments",
    )
    parser.add_argument("--orders", type=_count, default=2000, metavar="N", help="orders to place (2000)")
    parser.add_argument(
        "--faults", type=_count, default=100, metavar="M", help="faults to inject; each kind at least once (100)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="seed that draws the faults and their sequence (1)"
    )
    parser.add_argument(
        "--broker",
        choices=("redis", "rabbitmq"),
        default="redis",
        help="redis, or the RabbitMQ that RABBITMQ_URL names",
    )
    parser.add_argument(
        "--only", action="append", choices=sorted(KINDS), metavar="KIND", help="only faults of this kind"
    )
    parser.add_argument("--list", action="store_true", help="list the kinds of faults and exit")
    options = parser.parse_args()
    if options.broker == "rabbitmq" and not os.environ.get("RABBITMQ_URL"):
        parser.error("RABBITMQ_URL is not set: name a RabbitMQ, as in amqp://user:password@127.0.0.1:5672//")
    console = Console()
    if options.list:
        for kind in KINDS.values():
            console.print(f"{kind.area:10} {kind.name}", highlight=False)
        return 0
    if options.only:
        for name in set(KINDS) - set(options.only):
            del KINDS[name]
    # As Ctrl-C does: stop the system that was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="orderly-faults-") as directory,
        console.status("starting the system") as status,
        cluster(Path(directory), broker=options.broker) as started,
    ):
        report = campaign.run_campaign(
            started,
            orders=options.orders,
            faults=options.faults,
            seed=options.seed,
            broker=options.broker,
            progress=status.update if console.is_terminal else lambda line: console.print(line, highlight=False),
        )
    show(console, report)
    return 0 if report.holds else 1


def show(console: Console, report: campaign.Report) -> None:
    """Print the report."""
    kinds = Table("fault", "times", "seconds", "longest recovery", title="Faults")
    for name, result in sorted(report.kinds.items()):
        kinds.add_row(
            *(name, str(result.times), f"{result.seconds:.0f}", f"{result.recovery:.1f} s"),
            style="red" if result.problems else "",
        )
    for name, lacks in sorted(report.left_out.items()):
        kinds.add_row(name, "skipped", "", f"lacks {lacks}", style="yellow")
    console.print(kinds)
    verdict = report.verdict
    rows: list[tuple[str, object]] = [
        ("attempted", verdict.attempted),
        ("acknowledged", verdict.acknowledged),
        ("cleanly refused", verdict.refused),
        ("unknown, of which happened", f"{verdict.unknown}, {verdict.unknown_done}"),
        ("completed", verdict.completed),
        ("cleanly rejected", verdict.rejected),
        ("cancelled", verdict.cancelled),
        ("lost", len(verdict.lost)),
        ("duplicated", len(verdict.duplicated)),
        ("unexpected", len(verdict.unexpected)),
        ("units, history / ledger", f"{verdict.units_history} / {verdict.units_ledger}"),
        (
            "mails owed / missing / repeated",
            f"{verdict.mails_owed} / {verdict.mails_missing} / {verdict.mails_repeated}",
        ),
        ("acknowledged outside web and database faults", f"{report.acknowledged_share:.2%}"),
        ("broker away: errors", report.broker_down_errors),
        (
            "p99, broker away / nothing broken / other faults",
            " / ".join(
                f"{seconds * 1000:.0f}" for seconds in (report.broker_down_p99, report.baseline_p99, report.other_p99)
            )
            + " ms",
        ),
        ("broker, seed, time", f"{report.broker}, {report.seed}, {report.seconds:.0f} s"),
    ]
    table = Table("", "", title="Orders", show_header=False)
    for name, value in rows:
        table.add_row(name, str(value))
    console.print(table)
    for what in ("lost", "duplicated", "unexpected"):
        for line in getattr(verdict, what)[:MAX_FINDINGS_SHOWN]:
            console.print(f"{what}: {line}", style="red", highlight=False)
    for line in report.unexcused[:MAX_FINDINGS_SHOWN]:
        console.print(f"not acknowledged: {line}", style="yellow", highlight=False)
    for name, result in report.kinds.items():
        for problem in result.problems:
            console.print(f"{name}: {problem}", style="red", highlight=False)
    console.print("invariants: " + ("hold" if report.holds else "BROKEN"), style="bold")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
