"""verify_stock: does stock agree with its ledger?"""

from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from inventory import operations
from inventory.operations import Drift
from project.bus.management import base

#: Where there is no terminal whose width to respect: wide enough for a row of the table.
WIDTH = 200
#: How many causes of one drift are shown; a longer list ends with a number.
SHOWN = 5


class Command(base.Command):
    """Compares stock with its ledger and with the reservations."""

    help = """\
Check that stock agrees with its ledger.

For every product and location three things must hold:
  on hand              equals the sum of its movements
  reserved             equals the sum of its movements
  active reservations  keep for orders what the movements reserved for them
Where one does not, a table says which figure is off, by how much, and since when: each movement of the ledger says what
the figures were after it, so it shows between which two movements somebody wrote to the database past Orderly. Where it
says "no stock row 7", there are movements or reservations of a row that is not there: put it back, with its figures as
the ledger has them.

It may run while orders are served, and repairs nothing: which side is right, only counting the shelf can tell. To
repair it, set the figure back to what the ledger says, in the database; then adjust it to what was counted, which puts
the difference and its reason into the ledger.

example, for cron:
  manage.py verify_stock || echo 'stock does not agree with its ledger' | mail -s orderly ops@example.org

exit codes:
  0  all hold
  1  something is off
  2  wrong arguments, or the database does not answer"""

    def handle(self, **_: Any) -> None:
        """Print the verdict.

        Raises:
            CommandError: something is off.
        """
        drifts = operations.find_drift()
        if not drifts:
            self.stdout.write("stock agrees with its ledger")
            return
        console = Console(width=None if self.stdout.isatty() else WIDTH)
        with console.capture() as printed:
            console.print(table(drifts))
        self.stdout.write(printed.get())
        raise CommandError(f"stock does not agree with its ledger; figures that are off: {len(drifts)}")


def table(drifts: list[Drift]) -> Table:
    """A row for each figure that is off."""
    table = Table("product", "location", "figure", "found", "by the ledger", "off by", "since", show_lines=True)
    for drift in drifts:
        since = [*drift.since[:SHOWN], *([f"and {len(drift.since) - SHOWN} more"] if drift.since[SHOWN:] else [])]
        table.add_row(
            drift.sku,
            drift.location,
            drift.figure,
            str(drift.found),
            str(drift.expected),
            f"{drift.difference:+}",
            "\n".join(since),
        )
    return table
