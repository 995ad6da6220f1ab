"""import_stock: receive what a file lists."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from inventory import operations
from inventory.management.stock_file import UnreadableFile, read_file
from inventory.operations import Arrival, BadLine, Inspection
from project.bus.management import base

#: How many new products are named; a longer list ends with a number.
NAMED = 5


class Command(base.Command):
    """Receives stock from a file."""

    help = """\
Receive the stock that a CSV file lists, each row as one movement of the ledger.

The first line names the columns, in any order:
  sku, location   codes of a product and a location that exist
  quantity        units that arrived, from 1; they are added to what is on hand
  reason          why, for the ledger; "import FILE" where it is empty or the column is missing
  name, price     optional: where no product has the SKU, it is added with these
  currency        optional, for a product that is added: three capital letters; EUR where it is empty
Products that exist keep their name and price. The same product may come in several rows.

It is all or nothing: one bad row, and nothing is imported. With --partial the good rows are. Each bad row is named by
its line, the field, and what to do. The file is received as often as it is imported.

examples:
  manage.py import_stock delivery.csv --dry-run    say what would be done
  manage.py import_stock delivery.csv              do it

  with a delivery.csv such as
    sku,location,quantity,reason
    MUG-STONE,BER,40,"delivery 1207, pallet 2"

exit codes:
  0  every row was imported, or with --dry-run would be
  1  there are bad rows; nothing was imported, or with --partial the others
  2  wrong arguments, a file that cannot be read at all, or no database; nothing was imported"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file and how to go about it."""
        parser.add_argument("file", type=Path, metavar="FILE.csv", help="UTF-8, separated by commas, with a header")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--partial", action="store_true", help="import the good rows though others are bad")

    def handle(self, *, file: Path, dry_run: bool, partial: bool, **_: Any) -> None:
        """Inspect the file, then receive it.

        Raises:
            CommandError: it cannot be read, or has bad rows.
        """
        try:
            arrivals, unreadable = read_file(file)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", returncode=base.COULD_NOT_BEGIN) from error
        except UnreadableFile as error:
            raise CommandError(f"{file}: {error}.", returncode=base.COULD_NOT_BEGIN) from error
        inspection = operations.inspect_arrivals(arrivals=arrivals)
        bad = sorted([*unreadable, *inspection.bad], key=lambda bad: bad.line)
        for found in bad:
            self.stderr.write(f"line {found.line}, {found.error.field}: {found.error.detail}")
        if inspection.good and (partial or not bad):
            if not dry_run:
                operations.receive_arrivals(inspection=inspection)
            for line in summary(inspection, dry_run=dry_run):
                self.stdout.write(line)
        if bad:
            raise CommandError(verdict(bad, inspection.good, partial=partial, dry_run=dry_run))


def summary(inspection: Inspection, *, dry_run: bool) -> list[str]:
    """What was done, or would be."""
    units: Counter[str] = Counter()
    for arrival in inspection.good:
        units[arrival.location] += arrival.quantity
    by_location = ", ".join(f"{location} {number:,}" for location, number in sorted(units.items()))
    would = "would be " if dry_run else ""
    lines = [f"{would}received: {units.total():,} units in {len(inspection.good):,} rows ({by_location})"]
    if new := inspection.new_products:
        named = ", ".join(product.sku for product in new[:NAMED])
        more = f" and {len(new) - NAMED:,} more" if len(new) > NAMED else ""
        lines.append(f"products {would}added: {len(new):,} ({named}{more})")
    return [*lines, "nothing was changed: this was a dry run"] if dry_run else lines


def verdict(bad: Sequence[BadLine], good: Sequence[Arrival], *, partial: bool, dry_run: bool) -> str:
    """What became of the bad rows, and of the others."""
    rows = len({found.line for found in bad})
    total = f"bad rows: {rows:,} of {rows + len(good):,}"
    if partial and good:
        return f"{total}; {'they would be' if dry_run else 'they were'} left out. Correct them and import them alone."
    rest = " or import the others by --partial" if good and not partial else ""
    return f"{total}; nothing {'would be' if dry_run else 'was'} imported. Correct them{rest and ','}{rest}."
