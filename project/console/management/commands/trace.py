"""manage.py trace ORDER_OR_EVENT_ID"""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from rich.console import Console

from project.bus.management import base
from project.bus.status import story
from project.console.trace_tree import trees

#: Columns, more than the deepest line has.
WIDTH = 400


def uuid(text: str) -> UUID:
    """An id as typed.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no id: give an order's or an event's, such as 0198c0de-0000-7000-8000-000000000000"
        ) from None


class Command(base.Command):
    """Prints the story of an order or an event."""

    help = """\
Print what happened to an order, or came of an event: a tree from the first event to the last ledger row.

Under each event stand
  its handlers         done, dead, retrying or due, after how many attempts, and with which errors before (an attempt
                       in a batch that failed is counted, but leaves no error of its own)
  steps of orders      those that the event caused; one that a person made stands with the event that tells of it
  rows of the ledger   what was moved, and what there was afterwards
  the events that it caused
Times count from the first event. What a person does later, such as a cancel, begins a tree of its own.

examples:
  manage.py trace 0198c0de-0000-7000-8000-000000000000            an id from GET /api/v1/orders/ or from the admin
  manage.py trace 0198c0de-0000-7000-8000-000000000000 | less -S

exit codes:
  0  it was printed
  1  nothing is known of the id
  2  wrong arguments, or the database does not answer"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the id."""
        parser.add_argument(
            "id", type=uuid, metavar="ORDER_OR_EVENT_ID", help="the id of an order, an event, or a user who registered"
        )

    def handle(self, *, id: UUID, **_: Any) -> None:  # noqa: A002 - the argument's name
        """Print the tree.

        Raises:
            CommandError: nothing is known of the id.
        """
        told = story(of=id)
        if not told:
            raise CommandError(
                f"no event, and no order or other subject of events, has the id {id}. "
                "GET /api/v1/orders/ lists orders, the admin lists events."
            )
        # Ids are there to be copied, so no line is cut: a terminal wraps what is too long for it.
        console = Console(file=sys.stdout, highlight=False, width=WIDTH)
        for tree in trees(told):
            console.print(tree)
