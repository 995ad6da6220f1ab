"""What all commands share: help with its lines kept, tables on stdout, and one line when the database fails."""

import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.db import OperationalError, ProgrammingError
from rich.table import Table

from ..operator.audit import operating_system_user
from ..text import escaped
from .output import EscapedConsole, EscapedOutput

#: The exit code of a command that could not begin; argparse exits with the same on wrong arguments.
COULD_NOT_BEGIN = 2
#: Digits and a letter: 99999d are 273 years.
MAX_DURATION_LENGTH = 6
#: Columns; more than any table has.
WIDTH_WITHOUT_TERMINAL = 10_000


class VerbatimHelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of a help text, and lists a command's own options before Django's."""


class EscapedParser(CommandParser):
    """Shows wrong arguments escaped."""

    def error(self, message: str) -> Any:
        return super().error(escaped(message))


class Command(BaseCommand):
    """A command with examples in its help, which fails in one line; --traceback shows all lines.

    What it prints is escaped: Django assigns its outputs here, and when `call_command` names others.
    """

    @property
    def stdout(self) -> OutputWrapper:
        return self._stdout

    @stdout.setter
    def stdout(self, output: OutputWrapper) -> None:
        self._stdout = EscapedOutput(output)

    @property
    def stderr(self) -> OutputWrapper:
        return self._stderr

    @stderr.setter
    def stderr(self, output: OutputWrapper) -> None:
        self._stderr = EscapedOutput(output)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, formatter_class=VerbatimHelpFormatter, **kwargs)
        parser.__class__ = EscapedParser  # Django lets nobody choose it
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command.

        Raises:
            CommandError: the database does not answer, or lacks migrations.
        """
        try:
            return super().execute(*args, **options)
        except (OperationalError, ProgrammingError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            remedy = "Start it, correct DATABASE_URL, or bring it up to date by manage.py migrate."
            raise CommandError(f"The database fails: {reason}. {remedy}", returncode=COULD_NOT_BEGIN) from error

    def print_table(self, table: Table) -> None:
        """Print a table to stdout and cut no name: a terminal folds it, and elsewhere lines may be of any length."""
        for column in table.columns:
            column.overflow = "fold"
        width = None if self.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
        EscapedConsole(self.stdout, width=width).print(table)


class Subcommand(Command):
    """A command that is typed after `manage.py bus`."""

    name: ClassVar[str]
    #: One line for `manage.py bus --help`.
    summary: ClassVar[str]


class OperatorCommand(Command):
    """A command that changes what the bus owes: it says what it will do and asks first.

    The operation that it calls writes the audit entry, with the actor that --as names.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do it without asking")
        parser.add_argument(
            "--as", dest="actor", default=operating_system_user(), metavar="NAME", help="who does it, for the audit"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. SIGTERM ends it as Ctrl-C does, so that what was done until then is audited."""
        with suppress(ValueError):  # only the main thread can set signal handlers; tests use others
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        return super().execute(*args, **options)

    def confirm(self, *, what: str, yes: bool) -> bool:
        """Say what will be done, and return whether to do it.

        Args:
            yes: do not ask.

        Raises:
            CommandError: stdin is not a terminal, so nobody can answer.
        """
        self.stdout.write(what)
        if yes:
            return True
        if not sys.stdin.isatty():
            raise CommandError("Nobody is there to ask. Add --yes to do it.", returncode=COULD_NOT_BEGIN)
        if input("Type yes to do it: ").strip().lower() == "yes":
            return True
        self.stdout.write("Nothing was done.")
        return False

    def show_progress(self, text: str) -> None:
        """Overwrite the terminal's last line; write nothing where stdout is not a terminal."""
        if self.stdout.isatty():
            self.stdout.write(text, ending="\r")


def duration(text: str) -> timedelta:
    """A length of time as people type it: 90s, 45m, 2h, 30d.

    Raises:
        ArgumentTypeError: it has another form.
    """
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdecimal() and len(text) <= MAX_DURATION_LENGTH:
        return timedelta(**{units[text[-1]]: int(text[:-1])})
    raise ArgumentTypeError(f"{text!r} is not a length of time: give a number and s, m, h or d, such as 30d")


def point_in_time(text: str) -> datetime:
    """A time as people type it, in UTC unless it has an offset: 2026-11-24, or 2026-11-24T05:30.

    Raises:
        ArgumentTypeError: it has another form.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a time: give one such as 2026-11-24 or 2026-11-24T05:30") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
