"""manage.py retire_handler"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ... import audit, subscriptions
from .. import base


class Command(base.ByHand):
    """Retires a handler."""

    help = """\
Retire a handler that the code has no more, or one type of event that it takes no more: new events are not owed to it.
Nothing does so by itself, for a process that lacks a handler may only be of an older release. What it is still owed
must be done first, or be given up.

examples:
  manage.py retire_handler orders.open_welcome_order
  manage.py retire_handler orders.open_welcome_order --discard     give up what it is owed
  manage.py retire_handler orders.reject_orders --type inventory.stock_rejected

exit codes:
  0  it is retired
  1  there is no such handler or type, this release still has it, or something is owed to it
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the handler."""
        parser.add_argument("handler", metavar="HANDLER")
        parser.add_argument("--type", metavar="TYPE", default="", dest="event_type", help="this type of event alone")
        parser.add_argument("--discard", action="store_true", help="give up what it is owed")
        super().add_arguments(parser)

    def handle(self, *, handler: str, event_type: str, discard: bool, yes: bool, actor: str, **_: Any) -> None:
        """Retire it.

        Raises:
            CommandError: it cannot be.
        """
        try:
            subscriptions.require([handler], event_type=event_type)
        except subscriptions.UnknownHandler as error:
            raise CommandError(str(error)) from error
        owed = subscriptions.owed(handlers=[handler], event_type=event_type)
        given_up = f" {owed} deliveries will be given up." if discard else ""
        nothing = f"no {event_type}" if event_type else "nothing"
        if not self.go_on(what=f"{handler} will be owed {nothing} any more.{given_up}", yes=yes):
            return
        try:
            subscriptions.retire(handler=handler, discard=discard, event_type=event_type)
        except (subscriptions.StillInCode, subscriptions.StillOwed) as error:
            raise CommandError(str(error)) from error
        discarded = 0
        try:
            if discard:
                for number in subscriptions.discard_owed(handler=handler, event_type=event_type):
                    discarded += number
        finally:
            with transaction.atomic():
                request = {"handler": handler, "type": event_type, "discard": discard}
                audit.record(actor=actor, action="retire", request=request, outcome={"discarded": discarded})
        self.stdout.write(f"{handler} is owed {nothing} any more. {discarded} deliveries were discarded.")
