"""manage.py prune_events"""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.db import transaction

from ... import audit, pruning
from .. import base


class Command(base.ByHand):
    """Deletes old events."""

    help = """\
Delete events that are older than 30 days and owed to nobody, with their receipts and failures. Dead letters keep their
event. The order's history and the ledger stay; manage.py trace no longer knows the events that they name.

It works in small transactions beside everything else, and may be interrupted and run at any time: make it a nightly
job.

examples:
  manage.py prune_events --dry-run
  manage.py prune_events --keep 90d --yes

exit codes:
  0  it was done, or with --dry-run said
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to keep."""
        parser.add_argument(
            "--keep", type=base.duration, default=timedelta(days=30), metavar="AGE", help="what is younger (30d)"
        )
        parser.add_argument("--chunk", type=_count, default=1_000, metavar="N", help="events in one transaction (1000)")
        parser.add_argument("--dry-run", action="store_true", help="count, and do nothing")
        super().add_arguments(parser)

    def handle(self, *, keep: timedelta, chunk: int, dry_run: bool, yes: bool, actor: str, **_: Any) -> None:
        """Count, ask, delete."""
        events = pruning.prunable(keep=keep).count()
        if dry_run:
            self.stdout.write(f"{events} events would go.")
            return
        if not self.go_on(what=f"{events} events will go, with their receipts and failures.", yes=yes):
            return
        gone = pruning.Pruned()
        try:
            for gone in pruning.prune(keep=keep, chunk=chunk):
                if self.stdout.isatty():
                    self.stdout.write(f"{gone.events} of {events} events", ending="\r")
            pruning.forget_old_troubles(keep=keep)
        finally:
            with transaction.atomic():
                outcome = {"events": gone.events, "receipts": gone.receipts, "failures": gone.failures}
                request = {"keep": str(keep), "chunk": chunk}
                audit.record(actor=actor, action="prune", request=request, outcome=outcome)
        self.stdout.write(f"{gone.events} events, {gone.receipts} receipts and {gone.failures} failures are gone.")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ArgumentTypeError(f"{text!r} is no such number: give 1 to 100000")
    return int(text)
