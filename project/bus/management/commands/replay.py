"""manage.py replay"""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ... import audit, replay
from .. import base


class Command(base.ByHand):
    """Owes events again."""

    help = """\
Owe events again that were published before, oldest first: to all handlers that are subscribed to them now, or to one.
So a new handler can be given what happened before it was there, and one that was mended what it did wrong.

A handler may always be called twice for an event, so what was done before leaves the same state in the database. But
what reaches outside happens again: replaying to a handler of e-mails sends them again, under another Message-ID.
What is still owed, dead letters among it, is left as it is.

examples:
  manage.py replay --type orders.order_placed --since 2026-11-01 --dry-run     say how many
  manage.py replay --handler orders.keep_catalogue                             all that it is subscribed to
  manage.py replay --subject 01a20ad0-5dee-7616-9295-0a2b3effe92a --yes        what happened to one order

exit codes:
  0  it was done, or with --dry-run said
  1  nobody is subscribed to what was chosen
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the selection."""
        parser.add_argument("--type", default="", help="events of this type, such as orders.order_placed")
        parser.add_argument("--subject", default="", metavar="ID", help="events about this, such as an order's id")
        parser.add_argument("--since", type=base.moment, metavar="TIME", help="published at this time (UTC) or later")
        parser.add_argument("--until", type=base.moment, metavar="TIME", help="published before this time (UTC)")
        parser.add_argument("--handler", default="", help="owe them to this handler alone")
        parser.add_argument("--all", action="store_true", help="every event there is, to every handler")
        parser.add_argument("--dry-run", action="store_true", help="count, and do nothing")
        super().add_arguments(parser)

    def handle(
        self,
        *,
        type: str,  # noqa: A002 - the option's name
        subject: str,
        since: datetime | None,
        until: datetime | None,
        handler: str,
        all: bool,  # noqa: A002
        dry_run: bool,
        yes: bool,
        actor: str,
        **_: Any,
    ) -> None:
        """Count, ask, replay.

        Raises:
            CommandError: nothing was chosen, or nobody is subscribed to it.
        """
        if not (type or subject or since or until or handler or all):
            raise CommandError(
                "Say which events: --type, --subject, --since, --until or --handler; or --all.",
                returncode=base.COULD_NOT_BEGIN,
            )
        selection = replay.Selection(type=type, subject=subject, since=since, until=until, handler=handler)
        try:
            subscribers = replay.subscribers(selection)
            events = replay.chosen(selection, types=subscribers).count()
        except replay.NotSubscribed as error:
            raise CommandError(str(error)) from error
        whom = ", ".join(sorted({name for names in subscribers.values() for name in names}))
        if dry_run:
            self.stdout.write(f"{events} events would be owed to {whom}.")
            return
        if not self.go_on(what=f"{events} events will be owed to {whom}.", yes=yes):
            return
        done = replay.Replayed(events=0, deliveries=0, still_owed=0)
        try:
            for done in replay.replay(selection):
                if self.stdout.isatty():
                    self.stdout.write(f"{done.events} of {events} events", ending="\r")
        finally:
            with transaction.atomic():
                request = {
                    name: str(value)
                    for name, value in {
                        "type": type,
                        "subject": subject,
                        "since": since,
                        "until": until,
                        "handler": handler,
                    }.items()
                    if value
                }
                outcome = {"events": done.events, "deliveries": done.deliveries, "still_owed": done.still_owed}
                audit.record(actor=actor, action="replay", request=request, outcome=outcome)
        self.stdout.write(
            f"{done.deliveries} deliveries of {done.events} events are due now; {done.still_owed} were still owed."
        )
