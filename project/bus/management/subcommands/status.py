"""manage.py bus status"""

from argparse import ArgumentParser
from json import dumps as json_text
from typing import Any

import msgspec
from rich.table import Table

from ...operator.status import bus_status
from .. import base


class Status(base.Subcommand):
    name = "status"
    summary = "show what the bus owes, and whether all is well"
    help = """\
Show what the event bus still owes. All is well when nothing is unsettled for long, and nothing is dead.

  events total           published so far
  events scheduled       not due yet
  events unsettled       due, retrying or waiting at one handler at least
  oldest_unsettled_s     the age of the oldest of those, in seconds; it grows when the relay or workers are missing
  deliveries done        handled, each with its receipt
  deliveries retrying    claimed, or failed and due again later
  deliveries waiting     for a worker of a release that knows the event's version
  deliveries dead        out of attempts; manage.py bus dead-letters shows why
  handlers paused        by an operator, with manage.py bus pause
  handlers circuit_open  failed 20 times in a row, and until when; then one delivery is tried
  queues                 bells that wait for workers; normally 0, or one for each handler that has work
Above 100,000 rows the totals are estimates on PostgreSQL.

examples:
  manage.py bus status
  manage.py bus status --json    for programs: {"events": {"total": ..., "scheduled": ..., "unsettled": ...}, ...};
                                 a queue is null when the broker does not answer, and
                                 "cannot be used" when it refuses that queue

exit codes:
  0  it was shown, also when not all is well
  2  wrong arguments, or the database does not answer"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")

    def handle(self, *, json: bool, **_: Any) -> None:
        status = bus_status()
        if json:
            # In printable ASCII, because JSON has other escapes than the output of a command.
            text = json_text(msgspec.to_builtins(status), indent=2).replace("\x7f", r"\u007f")
            self.stdout.write(text)
            return
        table = Table("what", "count", title="event bus")
        for what, value in _rows(status):
            table.add_row(what, value)
        self.print_table(table)


def _rows(status: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{group} {name}", _text(value))
        for group, values in status.items()
        for name, value in (values.items() if isinstance(values, dict) else [("", values)])
    ]


def _text(value: Any) -> str:
    match value:
        case None:
            return "broker does not answer"
        case str():
            return value
        case list():
            return ", ".join(value) or "none"
        case dict():
            return ", ".join(f"{handler} until {until}" for handler, until in value.items()) or "none"
    return f"{value:,}"
