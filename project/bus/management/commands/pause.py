"""manage.py pause"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ... import audit, subscriptions
from .. import base


class Command(base.ByHand):
    """Pauses handlers."""

    help = """\
Pause handlers: they are neither rung nor given anything, what they are owed waits, and nothing is lost. What a worker
has in hand at the moment is finished. manage.py resume sets them to work again.

examples:
  manage.py pause users.email_welcome
  manage.py pause users.email_confirmation users.email_rejection --yes

exit codes:
  0  they pause
  1  there is no such handler
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the handlers."""
        parser.add_argument("handlers", nargs="+", metavar="HANDLER")
        super().add_arguments(parser)

    def handle(self, *, handlers: list[str], yes: bool, actor: str, **_: Any) -> None:
        """Pause them.

        Raises:
            CommandError: there is no such handler.
        """
        try:
            subscriptions.require(handlers)
        except subscriptions.UnknownHandler as error:
            raise CommandError(str(error)) from error
        if not self.go_on(what=f"These will pause: {', '.join(handlers)}.", yes=yes):
            return
        with transaction.atomic():
            owed = subscriptions.pause(handlers=handlers)
            audit.record(actor=actor, action="pause", request={"handlers": handlers}, outcome={"owed": owed})
        self.stdout.write(f"They pause. {owed} deliveries wait.")
