"""manage.py bus prune"""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from ...operator import pruning
from .. import base

MAX_EVENTS_PER_TRANSACTION = 100_000


class Prune(base.OperatorCommand, base.Subcommand):
    name = "prune"
    summary = "delete old events that are owed to no handler"
    help = """\
Delete events that are older than 30 days and owed to no handler, with their receipts and failures. Dead letters keep
their event. Rows of your own tables stay, but the events that they name are gone.

It works in small transactions beside everything else, and you may interrupt it and run it again at any time: make it a
nightly job.

examples:
  manage.py bus prune --dry-run
  manage.py bus prune --keep 90d --yes

exit codes:
  0  it was done, or with --dry-run counted
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--keep", type=base.duration, default=timedelta(days=30), metavar="AGE", help="keep what is younger (30d)"
        )
        parser.add_argument("--chunk", type=_count, default=1_000, metavar="N", help="events in one transaction (1000)")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        super().add_arguments(parser)

    def handle(self, *, keep: timedelta, chunk: int, dry_run: bool, yes: bool, actor: str, **_: Any) -> None:
        """Count, ask, delete."""
        events = pruning.prunable(keep=keep).count()
        if dry_run:
            self.stdout.write(f"{events} events would be deleted.")
            return
        if not self.confirm(what=f"{events} events will be deleted, with their receipts and failures.", yes=yes):
            return
        gone = pruning.prune(
            keep=keep,
            events_per_transaction=chunk,
            actor=actor,
            progress=lambda gone: self.show_progress(f"{gone.events} of {events} events"),
        )
        self.stdout.write(f"{gone.events} events, {gone.receipts} receipts and {gone.failures} failures are gone.")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_EVENTS_PER_TRANSACTION:
        raise ArgumentTypeError(f"{text!r} is not such a number: give 1 to {MAX_EVENTS_PER_TRANSACTION}")
    return int(text)
