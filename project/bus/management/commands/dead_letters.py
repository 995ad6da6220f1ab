"""manage.py dead_letters"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from rich.console import Console
from rich.table import Table

from ... import audit, dead_letters, journal
from ...dead_letters import Selection
from .. import base

SHORT = 12


class Command(base.ByHand):
    """What people do with dead letters."""

    help = """\
Dead letters are deliveries that ran out of attempts. List them by what went wrong, show one with its tracebacks, have
them tried again once the reason is mended, or give them up. With --waiting the same for deliveries that wait for a
release which knows their event's version.

examples:
  manage.py dead_letters list                                     by handler and error, with their signatures
  manage.py dead_letters show 1234                                one, with its tracebacks
  manage.py dead_letters retry --signature 3f2a                   all that died of one error at one place
  manage.py dead_letters retry --handler users.email_welcome --newer-than 2h
  manage.py dead_letters discard 1234 1240 --yes                  receipts say that they were discarded
  manage.py dead_letters discard --waiting --handler shop.wrap    that release will never come back

exit codes:
  0  it was done, also where there was nothing to do
  1  there is no such delivery
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the verb and the selection."""
        parser.add_argument("verb", choices=("list", "show", "retry", "discard"))
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers of deliveries")
        parser.add_argument("--handler", default="", help="owed to this handler")
        parser.add_argument("--signature", default="", help="with this signature, or one that begins so")
        parser.add_argument("--older-than", type=base.duration, metavar="AGE", help="dead for longer, such as 2h or 3d")
        parser.add_argument("--newer-than", type=base.duration, metavar="AGE", help="dead for less time")
        parser.add_argument(
            "--waiting",
            action="store_true",
            help="those that wait for a newer release, instead of dead ones; their age is that of their event",
        )
        parser.add_argument("--all", action="store_true", help="retry or discard every one")
        super().add_arguments(parser)

    def handle(
        self,
        *,
        verb: str,
        ids: list[int],
        handler: str,
        signature: str,
        older_than: timedelta | None,
        newer_than: timedelta | None,
        waiting: bool,
        all: bool,  # noqa: A002 - the option's name
        yes: bool,
        actor: str,
        **_: Any,
    ) -> None:
        """Do what the verb says.

        Raises:
            CommandError: nothing was chosen, or there is no such delivery.
        """
        if waiting and signature:
            raise CommandError(
                "What waits has not failed, so it has no signature: leave out --signature or --waiting.",
                returncode=base.COULD_NOT_BEGIN,
            )
        selection = Selection(
            ids=ids,
            handler=handler,
            signature=signature,
            older_than=older_than,
            newer_than=newer_than,
            waiting=waiting,
        )
        if verb == "list":
            self._list(selection)
        elif verb == "show":
            self._show(selection)
        elif not (ids or handler or signature or older_than or newer_than or all):
            raise CommandError(
                "Say which: numbers, --handler, --signature, --older-than or --newer-than; or --all.",
                returncode=base.COULD_NOT_BEGIN,
            )
        else:
            change = dead_letters.retry if verb == "retry" else dead_letters.discard
            self._change(verb, change, selection, yes=yes, actor=actor)

    def _list(self, selection: Selection) -> None:
        groups = dead_letters.groups(selection)
        if not groups:
            self.stdout.write(f"There are no such {_noun(selection, 0)}.")
            return
        trouble = ("waits for",) if selection.waiting else ("error", "signature")
        table = Table("count", "handler", *trouble, "newest", "example", title=_noun(selection, 0))
        for group in groups:
            newest = group.newest.strftime("%Y-%m-%d %H:%M:%S")
            what = (group.error, group.signature[:SHORT])[: len(trouble)]
            table.add_row(f"{group.count:,}", group.handler, *what, newest, str(group.example))
        Console(file=sys.stdout, highlight=False, markup=False).print(table)

    def _show(self, selection: Selection) -> None:
        if len(selection.ids) != 1:
            raise CommandError("Give one number: manage.py dead_letters show ID", returncode=base.COULD_NOT_BEGIN)
        (delivery_id,) = selection.ids
        one = Selection(ids=selection.ids, waiting=selection.waiting)
        delivery = dead_letters.chosen(one).select_related("event").first()
        if delivery is None:
            raise CommandError(f"{delivery_id} is no {_noun(selection, 1)}. {_examples(selection)}")
        event = delivery.event
        self.stdout.write(f"{delivery.handler}: {event.type} version {event.version} of {event.subject}")
        self.stdout.write(f"event {event.pk}, published {event.time:%Y-%m-%d %H:%M:%S} UTC: {event.data}")
        if selection.waiting:
            self.stdout.write(f"waits for a release that knows {delivery.waits_for}")
        else:
            self.stdout.write(
                f"dead since {delivery.dead_at:%Y-%m-%d %H:%M:%S} UTC, after {delivery.attempts} attempts"
            )
            self.stdout.write(f"signature {delivery.signature[:SHORT]}")
        for failure in journal.failures(delivery.pk):
            self.stdout.write(f"\nattempt {failure.attempt}, {failure.failed_at:%Y-%m-%d %H:%M:%S}, {failure.worker}")
            self.stdout.write(failure.traceback)

    def _change(
        self,
        verb: str,
        change: Callable[..., int],
        selection: Selection,
        *,
        yes: bool,
        actor: str,
    ) -> None:
        number = dead_letters.chosen(selection).count()
        if selection.ids and not number:
            raise CommandError(f"None of these is a {_noun(selection, 1)}. {_examples(selection)}")
        will = "will be tried again" if verb == "retry" else "will be given up: receipts say that they were discarded"
        if not self.go_on(what=f"{number} {_noun(selection, number)} {will}.", yes=yes):
            return
        done = 0
        try:
            for chunk in dead_letters.in_chunks(dead_letters.chosen(selection)):
                done += change(delivery_ids=chunk, waiting=selection.waiting)
        finally:
            with transaction.atomic():
                outcome = {"deliveries": done}
                audit.record(actor=actor, action=verb, request=_request(selection), outcome=outcome)
        self.stdout.write(f"{done} are due now." if verb == "retry" else f"{done} are discarded.")


def _noun(selection: Selection, number: int) -> str:
    one, many = ("waiting delivery", "waiting deliveries") if selection.waiting else ("dead letter", "dead letters")
    return one if number == 1 else many


def _examples(selection: Selection) -> str:
    return f"manage.py dead_letters list{' --waiting' * selection.waiting} has examples."


def _request(selection: Selection) -> dict[str, Any]:
    named: dict[str, Collection[int] | str | timedelta | bool | None] = {
        "ids": list(selection.ids),
        "handler": selection.handler,
        "signature": selection.signature,
        "older_than": selection.older_than,
        "newer_than": selection.newer_than,
        "waiting": selection.waiting,
    }
    return {name: str(value) if isinstance(value, timedelta) else value for name, value in named.items() if value}
