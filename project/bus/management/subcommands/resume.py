"""manage.py bus resume"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...errors import UnknownHandler
from ...operator import subscriptions
from .. import base


class Resume(base.OperatorCommand, base.Subcommand):
    name = "resume"
    summary = "let paused handlers work again, and close circuits"
    help = """\
Let handlers work again that are paused, or whose circuit is open after many failures (manage.py bus status lists both).
If a handler still fails, its circuit soon opens again.

examples:
  manage.py bus resume users.email_welcome

exit codes:
  0  they work again
  1  a handler is unknown
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("handlers", nargs="+", metavar="HANDLER")
        super().add_arguments(parser)

    def handle(self, *, handlers: list[str], yes: bool, actor: str, **_: Any) -> None:
        """Ask, then resume them.

        Raises:
            CommandError: a handler is unknown.
        """
        try:
            subscriptions.require(handlers)
            if not self.confirm(what=f"These will work again: {', '.join(handlers)}.", yes=yes):
                return
            owed = subscriptions.resume(handlers=handlers, actor=actor)
        except UnknownHandler as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"They work again. {owed} deliveries are owed.")
