"""manage.py bus: the event bus's commands, each of which is a module of management/subcommands."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from .. import base
from ..subcommands import SUBCOMMANDS


class Command(base.Command):
    help = """\
Run the event bus, look at what it owes, and change that. `manage.py bus SUBCOMMAND --help` tells more, with examples.

examples:
  manage.py bus relay                ring the workers, until stopped
  manage.py bus status               what is owed, and whether all is well
  manage.py bus dead-letters list    what cannot be handled, and why

exit codes:
  0  it was done
  1  it was refused; a subcommand's help says what for
  2  wrong arguments, nobody to ask, or no database"""

    missing_args_message = f"name a subcommand: {', '.join(SUBCOMMANDS)}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Give each subcommand a parser that also takes Django's options."""
        parsers = parser.add_subparsers(dest="subcommand", required=True, parser_class=_SubcommandParser)
        for name, subcommand in SUBCOMMANDS.items():
            django = _DjangoOptions()
            django.requires_system_checks = subcommand.requires_system_checks
            options: Any = django.create_parser("", "", add_help=False, argument_default=SUPPRESS)
            subparser = parsers.add_parser(
                name,
                help=subcommand.summary,
                description=subcommand.help,
                formatter_class=base.VerbatimHelpFormatter,
                parents=[options],
            )
            subcommand().add_arguments(subparser)

    def execute(self, *args: Any, subcommand: str, **options: Any) -> str | None:
        """Run the subcommand as a command of its own, with its own system checks."""
        command = SUBCOMMANDS[subcommand]()
        command.stdout, command.stderr = self.stdout, self.stderr
        return command.execute(*args, **options)


class _SubcommandParser(base.EscapedParser):
    """Refuses unknown arguments with the subcommand's own usage, where argparse shows that of the whole command."""

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        options, unknown = super().parse_known_args(*args, **kwargs)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options, unknown


class _DjangoOptions(BaseCommand):
    """Django's options without defaults, so that a value typed before the subcommand stays."""

    def add_base_argument(self, parser: CommandParser, *args: Any, **kwargs: Any) -> None:
        super().add_base_argument(parser, *args, **kwargs | {"default": SUPPRESS})
