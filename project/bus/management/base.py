"""What commands have in common: help whose lines stay as they are written, and one line when the database fails."""

import getpass
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import OperationalError, ProgrammingError

#: The exit code of a command that could not begin; argparse ends with the same on wrong arguments.
COULD_NOT_BEGIN = 2
#: Digits and a letter: 99999d are 273 years.
LONGEST_DURATION = 6


class HelpAsWritten(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of a help text, which has examples; a command's own arguments come before Django's."""


class Command(BaseCommand):
    """A command that teaches, and fails in one line; with --traceback, with all of them."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """A parser that prints the help as it is written."""
        return super().create_parser(prog_name, subcommand, formatter_class=HelpAsWritten, **kwargs)

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


class ByHand(Command):
    """A command by which a person changes what is owed: it says what it will do, asks, and writes down who did it."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --yes and --as."""
        parser.add_argument("--yes", action="store_true", help="do it without asking")
        parser.add_argument(
            "--as", dest="actor", default=operating_system_user(), metavar="NAME", help="who does it, for the audit"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command; SIGTERM ends it as Ctrl-C does, so that what was done by then is written down."""
        with suppress(ValueError):  # in a thread, as tests run commands, there are no signals
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        return super().execute(*args, **options)

    def go_on(self, *, what: str, yes: bool) -> bool:
        """Say what will be done, and whether it is to be.

        Raises:
            CommandError: there is nobody to ask.
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


def operating_system_user() -> str:
    """The name that this machine knows whoever runs the command by."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


def duration(text: str) -> timedelta:
    """A length of time as people type it: 90s, 45m, 2h, 30d.

    Raises:
        ArgumentTypeError: it is none.
    """
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdecimal() and len(text) <= LONGEST_DURATION:
        return timedelta(**{units[text[-1]]: int(text[:-1])})
    raise ArgumentTypeError(f"{text!r} is no length of time: give a number and s, m, h or d, such as 30d")


def moment(text: str) -> datetime:
    """A time as people type it, in UTC unless it says otherwise: 2026-11-24, or 2026-11-24T05:30.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time: give one such as 2026-11-24 or 2026-11-24T05:30") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
