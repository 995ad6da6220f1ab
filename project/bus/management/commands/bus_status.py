"""manage.py bus_status"""

import sys
from argparse import ArgumentParser
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ...status import bus_status
from .. import base


class Command(base.Command):
    """Shows how the bus is doing."""

    help = """\
Show what the event bus still owes. All is well when nothing is unsettled for long, and nothing is dead.

  events total        published so far
  events scheduled    not due yet
  events unsettled    due or being retried at one handler at least
  oldest_unsettled_s  the age of the oldest of those, in seconds; when it grows, the relay or workers are missing
  deliveries done     handled, each with its receipt
  deliveries retrying failed or under way, and due again
  deliveries waiting  for a worker of a release that knows the event's version
  deliveries dead     out of attempts; they wait for a person, who finds them in the admin with their tracebacks
  handlers paused     by a person, with manage.py pause
  handlers resting    failed 20 times in a row, and until when; then one delivery is tried
  queues              bells waiting for workers; none is fine, and so is one for each handler that has work
Above 100,000 rows the totals are estimates on PostgreSQL.

examples:
  manage.py bus_status
  manage.py bus_status --json    for programs: {"events": {"total": ..., "scheduled": ..., "unsettled": ...}, ...};
                                 a queue is null when the broker does not answer

exit codes:
  0  it was shown, whatever it is
  2  wrong arguments, or the database does not answer"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --json."""
        parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")

    def handle(self, *, json: bool, **_: Any) -> None:
        """Print the status."""
        status = bus_status()
        if json:
            self.stdout.write(msgspec.json.format(msgspec.json.encode(status)).decode())
            return
        table = Table("what", "count", title="event bus")
        for what, value in _rows(status):
            table.add_row(what, "broker does not answer" if value is None else value)
        Console(file=sys.stdout, highlight=False).print(table)


def _rows(status: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        (f"{group} {name}", _shown(value))
        for group, values in status.items()
        for name, value in (values.items() if isinstance(values, dict) else [("", values)])
    ]


def _shown(value: Any) -> str | None:
    match value:
        case list():
            return ", ".join(value) or "none"
        case dict():
            return ", ".join(f"{handler} until {until}" for handler, until in value.items()) or "none"
    return None if value is None else f"{value:,}"
