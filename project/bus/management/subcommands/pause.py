"""manage.py bus pause"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...errors import UnknownHandler
from ...operator import subscriptions
from .. import base


class Pause(base.OperatorCommand, base.Subcommand):
    name = "pause"
    summary = "stop calling handlers; what they are owed waits"
    help = """\
Pause handlers: they are neither rung nor called, what they are owed waits, and nothing is lost. A worker finishes what
it has in hand. manage.py bus resume lets them work again.

examples:
  manage.py bus pause users.email_welcome
  manage.py bus pause users.email_confirmation users.email_rejection --yes

exit codes:
  0  they are paused
  1  a handler is unknown
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handlers", nargs="+", metavar="HANDLER")
        super().add_arguments(parser)

    def handle(self, *, handlers: list[str], yes: bool, actor: str, **_: Any) -> None:
        """Ask, then pause them.

        Raises:
            CommandError: a handler is unknown.
        """
        try:
            subscriptions.require(handlers)
            if not self.confirm(what=f"These will pause: {', '.join(handlers)}.", yes=yes):
                return
            owed = subscriptions.pause(handlers=handlers, actor=actor)
        except UnknownHandler as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"They pause. {owed} deliveries wait.")
