"""manage.py bus retire"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...errors import StillInCode, StillOwed, UnknownHandler
from ...operator import subscriptions
from .. import base


class Retire(base.OperatorCommand, base.Subcommand):
    name = "retire"
    summary = "owe nothing more to a handler that the code lacks"
    help = """\
Retire a handler that the code no longer has, or one type of event that it no longer takes: new events are not owed to
it. Only this command does so, because a process that lacks a handler may merely be of an older release. What the
handler is still owed must be done first, or be discarded.

examples:
  manage.py bus retire orders.open_welcome_order
  manage.py bus retire orders.open_welcome_order --discard     discard what it is owed
  manage.py bus retire orders.reject_orders --type inventory.stock_rejected

exit codes:
  0  it is retired
  1  the handler or the type is unknown, this release still has it, or something is owed to it
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handler", metavar="HANDLER")
        parser.add_argument("--type", metavar="TYPE", default="", dest="event_type", help="only this type of event")
        parser.add_argument("--discard", action="store_true", help="discard what it is owed")
        super().add_arguments(parser)

    def handle(self, *, handler: str, event_type: str, discard: bool, yes: bool, actor: str, **_: Any) -> None:
        """Ask, then retire it.

        Raises:
            CommandError: it cannot be retired.
        """
        nothing = f"no {event_type}" if event_type else "nothing"
        try:
            subscriptions.require([handler], event_type=event_type)
            owed = subscriptions.owed(handlers=[handler], event_type=event_type)
            discarding = f" {owed} deliveries will be discarded." if discard else ""
            if not self.confirm(what=f"{handler} will be owed {nothing} any more.{discarding}", yes=yes):
                return
            discarded = subscriptions.retire(handler=handler, event_type=event_type, discard=discard, actor=actor)
        except (UnknownHandler, StillInCode, StillOwed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{handler} is owed {nothing} any more. {discarded} deliveries were discarded.")
