"""`manage.py trace`: print what happened to an order, or after an event."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from project.bus.management import base
from project.bus.management.output import EscapedConsole
from project.bus.operator.trace import trace_events
from project.console.trace_tree import trees

#: Columns, wider than any line, so that no line is cut: ids are there to be copied.
WIDTH = 400


def uuid(text: str) -> UUID:
    """Parse an id.

    Raises:
        ArgumentTypeError: the text is not a UUID.
    """
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not an id: give one of an order or an event, such as 0198c0de-0000-7000-8000-000000000000"
        ) from None


class Command(base.Command):
    help = """\
Print what happened to an order, or after an event, as a tree from the first event to the last ledger row.

Below each event are
  its handlers         their state, the number of attempts and the errors of failed ones (a failed attempt in a batch
                       is counted, but has no error of its own)
  changes of orders    status changes that the event caused; for one that a person made, the event that announces it
  rows of the ledger   the units that were moved, and the figures afterwards
  the events that it caused
Times count from the first event. A later action of a person, such as a cancellation, begins a tree of its own.

examples:
  manage.py trace 0198c0de-0000-7000-8000-000000000000            an id from GET /api/v1/orders/ or from the admin
  manage.py trace 0198c0de-0000-7000-8000-000000000000 | less -S

exit codes:
  0  the trace was printed
  1  the id is unknown
  2  wrong arguments, or the database does not answer"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "id", type=uuid, metavar="ORDER_OR_EVENT_ID", help="the id of an order, an event, or a user who registered"
        )

    def handle(self, *, id: UUID, **_: Any) -> None:  # noqa: A002 - the argument's name
        """Print the trees.

        Raises:
            CommandError: the id is unknown.
        """
        told = trace_events(of=id)
        if not told:
            raise CommandError(
                f"No event, and no order or other subject of an event, has the id {id}. "
                "GET /api/v1/orders/ lists orders, the admin lists events."
            )
        console = EscapedConsole(self.stdout, width=WIDTH)
        for tree in trees(told):
            console.print(tree)
