"""manage.py bus dead-letters"""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from ...operator import dead_letters, selectors
from ...operator.dead_letters import DeadLetterQuery
from ...text import escaped, indented
from .. import base

#: Characters of a signature that are shown. They suffice for --signature.
SIGNATURE_LENGTH = 12


class DeadLetters(base.OperatorCommand, base.Subcommand):
    name = "dead-letters"
    summary = "list, show, retry or discard what cannot be handled"
    help = """\
Dead letters are deliveries that ran out of attempts. List them by what went wrong, show one with its tracebacks, retry
them once the reason is repaired, or discard them. With --waiting: the same for deliveries that wait for a release which
knows their event's version.

examples:
  manage.py bus dead-letters list                                     by handler and error, with their signatures
  manage.py bus dead-letters show 1234                                one, with its tracebacks
  manage.py bus dead-letters retry --signature 3f2a                   all that died of one error at one place
  manage.py bus dead-letters retry --handler users.email_welcome --newer-than 2h
  manage.py bus dead-letters discard 1234 1240 --yes                  receipts say that they were discarded
  manage.py bus dead-letters discard --waiting --handler shop.wrap    that release will never come back

exit codes:
  0  it was done, also where there was nothing to do
  1  the delivery is unknown
  2  wrong arguments, nobody to ask, or no database"""

    def add_arguments(self, parser: ArgumentParser) -> None:
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
            CommandError: nothing was chosen, or the delivery is unknown.
        """
        if waiting and signature:
            raise CommandError(
                "A waiting delivery has not failed, so it has no signature: leave out --signature or --waiting.",
                returncode=base.COULD_NOT_BEGIN,
            )
        query = DeadLetterQuery(
            ids=ids or None,
            handler=handler,
            signature=signature,
            older_than=older_than,
            newer_than=newer_than,
            waiting=waiting,
        )
        if verb == "list":
            self._list(query)
        elif verb == "show":
            self._show(query)
        elif not (ids or handler or signature or older_than or newer_than or all):
            raise CommandError(
                "Say which: numbers, --handler, --signature, --older-than or --newer-than; or --all.",
                returncode=base.COULD_NOT_BEGIN,
            )
        else:
            self._change(verb, query, yes=yes, actor=actor)

    def _list(self, query: DeadLetterQuery) -> None:
        groups = dead_letters.grouped(query)
        if not groups:
            self.stdout.write(f"There are no such {_noun(query, 0)}.")
            return
        reasons = ("waits for",) if query.waiting else ("error", "signature")
        table = Table("count", "handler", *reasons, "newest", "example", title=_noun(query, 0))
        for group in groups:
            newest = group.newest.strftime("%Y-%m-%d %H:%M:%S")
            reason = (group.error, group.signature[:SIGNATURE_LENGTH])[: len(reasons)]
            table.add_row(f"{group.count:,}", group.handler, *reason, newest, str(group.example))
        self.print_table(table)

    def _show(self, query: DeadLetterQuery) -> None:
        if query.ids is None or len(query.ids) != 1:
            raise CommandError("Give one number: manage.py bus dead-letters show ID", returncode=base.COULD_NOT_BEGIN)
        (delivery_id,) = query.ids
        one = DeadLetterQuery(ids=query.ids, waiting=query.waiting)
        delivery = dead_letters.matching(one).select_related("event").first()
        if delivery is None:
            raise CommandError(f"{delivery_id} is not a {_noun(query, 1)}. {_where_to_look(query)}")
        event = delivery.event
        self.stdout.write(escaped(f"{delivery.handler}: {event.type} version {event.version} of {event.subject}"))
        self.stdout.write(escaped(f"event {event.pk}, published {event.time:%Y-%m-%d %H:%M:%S} UTC: {event.data}"))
        if query.waiting:
            self.stdout.write(f"waits for a release that knows {delivery.waits_for}")
        else:
            self.stdout.write(
                f"dead since {delivery.dead_at:%Y-%m-%d %H:%M:%S} UTC, after {delivery.attempts} attempts"
            )
            self.stdout.write(f"signature {delivery.signature[:SIGNATURE_LENGTH]}")
        for failure in selectors.failures(delivery.pk):
            failed = f"attempt {failure.attempt}, {failure.failed_at:%Y-%m-%d %H:%M:%S}, {failure.worker}"
            self.stdout.write(f"\n{escaped(failed)}")
            self.stdout.write(indented(failure.traceback))

    def _change(self, verb: str, query: DeadLetterQuery, *, yes: bool, actor: str) -> None:
        number = dead_letters.matching(query).count()
        if query.ids and not number:
            raise CommandError(f"None of these is a {_noun(query, 1)}. {_where_to_look(query)}")
        will = "will be retried" if verb == "retry" else "will be discarded, and receipts will say so"
        if not self.confirm(what=f"{number} {_noun(query, number)} {will}.", yes=yes):
            return
        if verb == "retry":
            self.stdout.write(f"{dead_letters.retry(query=query, actor=actor)} are due now.")
        else:
            self.stdout.write(f"{dead_letters.discard(query=query, actor=actor)} are discarded.")


def _noun(query: DeadLetterQuery, number: int) -> str:
    one, many = ("waiting delivery", "waiting deliveries") if query.waiting else ("dead letter", "dead letters")
    return one if number == 1 else many


def _where_to_look(query: DeadLetterQuery) -> str:
    return f"manage.py bus dead-letters list{' --waiting' * query.waiting} has examples."
