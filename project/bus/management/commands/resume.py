"""manage.py resume"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from ... import audit, subscriptions
from .. import base


class Command(base.ByHand):
    """Sets handlers to work again."""

    help = """\
Set handlers to work again that pause, or that rest after many failures (manage.py bus_status names both). If a handler
still fails it will soon rest again.

examples:
  manage.py resume users.email_welcome

exit codes:
  0  they work
  1  there is no such handler
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the handlers."""
        parser.add_argument("handlers", nargs="+", metavar="HANDLER")
        super().add_arguments(parser)

    def handle(self, *, handlers: list[str], yes: bool, actor: str, **_: Any) -> None:
        """Set them to work.

        Raises:
            CommandError: there is no such handler.
        """
        try:
            subscriptions.require(handlers)
        except subscriptions.UnknownHandler as error:
            raise CommandError(str(error)) from error
        if not self.go_on(what=f"These will work again: {', '.join(handlers)}.", yes=yes):
            return
        with transaction.atomic():
            owed = subscriptions.resume(handlers=handlers)
            audit.record(actor=actor, action="resume", request={"handlers": handlers}, outcome={"owed": owed})
        self.stdout.write(f"They work again. {owed} deliveries are owed.")
