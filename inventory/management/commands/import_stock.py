"""`manage.py import_stock`: receive the stock that a file lists."""

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
from project.bus.text import escaped

#: The summary names this many new products and counts the rest.
MAX_SKUS_NAMED = 5


class Command(base.Command):
    help = """\
Receive the stock that a CSV file lists, each row as one movement of the ledger.

The first line names the columns, in any order:
  sku, location   a product's SKU and a location's code
  quantity        units that arrived, at least 1; they are added to the units on hand
  reason          optional reason for the ledger; the default is "import FILE"
  name, price     optional; a product that does not exist is added with these
  currency        optional, for a product that is added: three capital letters; the default is EUR
Existing products keep their name and price. Several rows may have the same product.

One bad row, and nothing is imported; with --partial the good rows are. For each bad row the line, the field and the
remedy are printed. A file that is imported twice is received twice.

examples:
  manage.py import_stock delivery.csv --dry-run    print what would be done
  manage.py import_stock delivery.csv              do it

  with a delivery.csv such as
    sku,location,quantity,reason
    MUG-STONE,BER,40,"delivery 1207, pallet 2"

exit codes:
  0  every row was imported, or would be with --dry-run
  1  there are bad rows; nothing was imported, or with --partial only the good rows
  2  wrong arguments, an unreadable file, or no database; nothing was imported"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv", help="UTF-8, separated by commas, with a header")
        parser.add_argument("--dry-run", action="store_true", help="print what would be done, and change nothing")
        parser.add_argument("--partial", action="store_true", help="import the good rows although others are bad")

    def handle(self, *, file: Path, dry_run: bool, partial: bool, **_: Any) -> None:
        """Inspect the file, then receive it.

        Raises:
            CommandError: the file cannot be read or has bad rows.
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
            self.stderr.write(escaped(f"line {found.line}, {found.error.field}: {found.error.detail}"))
        if inspection.good and (partial or not bad):
            if not dry_run:
                operations.receive_arrivals(inspection=inspection)
            for line in summary(inspection, dry_run=dry_run):
                self.stdout.write(escaped(line))
        if bad:
            raise CommandError(verdict(bad, inspection.good, partial=partial, dry_run=dry_run))


def summary(inspection: Inspection, *, dry_run: bool) -> list[str]:
    """Describe what was done, or would be."""
    units: Counter[str] = Counter()
    for arrival in inspection.good:
        units[arrival.location] += arrival.quantity
    by_location = ", ".join(f"{location} {number:,}" for location, number in sorted(units.items()))
    would = "would be " if dry_run else ""
    lines = [f"{would}received: {units.total():,} units in {len(inspection.good):,} rows ({by_location})"]
    if new := inspection.new_products:
        named = ", ".join(product.sku for product in new[:MAX_SKUS_NAMED])
        more = f" and {len(new) - MAX_SKUS_NAMED:,} more" if len(new) > MAX_SKUS_NAMED else ""
        lines.append(f"products {would}added: {len(new):,} ({named}{more})")
    return [*lines, "nothing was changed: this was a dry run"] if dry_run else lines


def verdict(bad: Sequence[BadLine], good: Sequence[Arrival], *, partial: bool, dry_run: bool) -> str:
    """Describe what happened to the bad rows and to the others."""
    rows = len({found.line for found in bad})
    total = f"bad rows: {rows:,} of {rows + len(good):,}"
    if partial and good:
        return f"{total}; {'they would be' if dry_run else 'they were'} left out. Correct them and import only them."
    rest = " or import the others with --partial" if good and not partial else ""
    return f"{total}; nothing {'would be' if dry_run else 'was'} imported. Correct them{rest and ','}{rest}."
