"""manage.py bus replay"""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from ...errors import NotSubscribed
from ...operator import replay
from .. import base


class Replay(base.OperatorCommand, base.Subcommand):
    name = "replay"
    summary = "owe published events again, to all handlers or to one"
    help = """\
Owe published events again, oldest first: to all handlers that are subscribed to them now, or to one. So a new handler
receives what happened before it existed, and a repaired one what it did wrong.

A handler may always be called twice for one event, so handling it again leaves the same state in the database. But
effects outside it happen again: replaying to a handler of e-mails sends them again, with another Message-ID. What is
still owed, including dead letters, stays as it is.

examples:
  manage.py bus replay --type orders.order_placed --since 2026-11-01 --dry-run     say how many
  manage.py bus replay --handler orders.keep_catalogue                             all that it is subscribed to
  manage.py bus replay --subject 01a20ad0-5dee-7616-9295-0a2b3effe92a --yes        what happened to one order

exit codes:
  0  it was done, or with --dry-run counted
  1  no handler is subscribed to the chosen events
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--type", default="", help="events of this type, such as orders.order_placed")
        parser.add_argument("--subject", default="", metavar="ID", help="events about this, such as an order's id")
        parser.add_argument(
            "--since", type=base.point_in_time, metavar="TIME", help="published at this time (UTC) or later"
        )
        parser.add_argument("--until", type=base.point_in_time, metavar="TIME", help="published before this time (UTC)")
        parser.add_argument("--handler", default="", help="owe them to this handler alone")
        parser.add_argument("--all", action="store_true", help="all events, to every handler")
        parser.add_argument("--dry-run", action="store_true", help="only count")
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
            CommandError: nothing was chosen, or no handler is subscribed to it.
        """
        if not (type or subject or since or until or handler or all):
            raise CommandError(
                "Say which events: --type, --subject, --since, --until or --handler; or --all.",
                returncode=base.COULD_NOT_BEGIN,
            )
        query = replay.ReplayQuery(type=type, subject=subject, since=since, until=until, handler=handler)
        try:
            subscribers = replay.subscribers(query)
            events = replay.matching(query, types=subscribers).count()
            whom = ", ".join(sorted({name for names in subscribers.values() for name in names}))
            if dry_run:
                self.stdout.write(f"{events} events would be owed to {whom}.")
                return
            if not self.confirm(what=f"{events} events will be owed to {whom}.", yes=yes):
                return
            done = replay.replay(
                query=query,
                actor=actor,
                progress=lambda done: self.show_progress(f"{done.events} of {events} events"),
            )
        except NotSubscribed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{done.deliveries} deliveries of {done.events} events are due now; {done.still_owed} were still owed."
        )
