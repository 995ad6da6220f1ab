"""`manage.py verify_stock`: check that stock agrees with its ledger."""

from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from inventory import operations
from inventory.operations import Drift
from project.bus.management import base

#: The table shows this many causes of one difference and counts the rest.
MAX_CAUSES_SHOWN = 5


class Command(base.Command):
    help = """\
Check that stock agrees with its ledger.

Three rules must hold for every product and location:
  on hand              equals the sum of its movements
  reserved             equals the sum of its movements
  active reservations  equal the units that movements reserved for orders
For each figure that differs, a table shows by how much and since when: each movement records the figures after it, so
the table shows between which two movements the database was changed past Orderly. "no stock row 7" means that movements
or reservations belong to a row that is missing: add it again, with the figures of the ledger.

The command may run while orders are served. It repairs nothing, because only a count of the shelf can tell which side
is right. To repair a figure, set it to the ledger's value in the database, then adjust it to the count: that writes the
difference and its reason to the ledger.

example for cron:
  manage.py verify_stock || echo 'stock does not agree with its ledger' | mail -s orderly ops@example.org

exit codes:
  0  all rules hold
  1  a figure differs
  2  wrong arguments, or the database does not answer"""

    def handle(self, **_: Any) -> None:
        """Print the result.

        Raises:
            CommandError: a figure differs.
        """
        drifts = operations.find_drift()
        if not drifts:
            self.stdout.write("stock agrees with its ledger")
            return
        self.print_table(drift_table(drifts))
        raise CommandError(f"stock does not agree with its ledger; figures that differ: {len(drifts)}")


def drift_table(drifts: list[Drift]) -> Table:
    """One row for each figure that differs."""
    table = Table("product", "location", "figure", "found", "by the ledger", "off by", "since", show_lines=True)
    for drift in drifts:
        since = [
            *drift.since[:MAX_CAUSES_SHOWN],
            *([f"and {len(drift.since) - MAX_CAUSES_SHOWN} more"] if drift.since[MAX_CAUSES_SHOWN:] else []),
        ]
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
