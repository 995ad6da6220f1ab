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
Retire a handler that the code has no more: new events are not owed to it. Nothing does so by itself, for a process that
lacks a handler may only be of an older release. What it is still owed must be done first, or be given up.

examples:
  manage.py retire_handler orders.open_welcome_order
  manage.py retire_handler orders.open_welcome_order --discard     give up what it is owed

exit codes:
  0  it is retired
  1  there is no such handler, this release still has it, or something is owed to it
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the handler."""
        parser.add_argument("handler", metavar="HANDLER")
        parser.add_argument("--discard", action="store_true", help="give up what it is owed")
        super().add_arguments(parser)

    def handle(self, *, handler: str, discard: bool, yes: bool, actor: str, **_: Any) -> None:
        """Retire it.

        Raises:
            CommandError: it cannot be.
        """
        try:
            subscriptions.require([handler])
        except subscriptions.UnknownHandler as error:
            raise CommandError(str(error)) from error
        owed = subscriptions.owed(handlers=[handler])
        given_up = f" {owed} deliveries will be given up." if discard else ""
        if not self.go_on(what=f"{handler} will be owed nothing any more.{given_up}", yes=yes):
            return
        try:
            subscriptions.retire(handler=handler, discard=discard)
        except (subscriptions.StillInCode, subscriptions.StillOwed) as error:
            raise CommandError(str(error)) from error
        discarded = 0
        try:
            for number in subscriptions.discard_owed(handler=handler) if discard else ():
                discarded += number
        finally:
            with transaction.atomic():
                request = {"handler": handler, "discard": discard}
                audit.record(actor=actor, action="retire", request=request, outcome={"discarded": discarded})
        self.stdout.write(f"{handler} is retired. {discarded} deliveries were discarded.")
