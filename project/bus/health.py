"""Whether relay and workers keep up, told from what they leave undone: they themselves are asked nothing."""

from collections.abc import Collection

from celery import Celery
from django.db.models.functions import Now

from .models import Delivery
from .queues import Bells
from .relay import Scan, due_handlers

#: Beside an old snapshot a scan from the beginning may take seconds, which whoever asks for one's health does not have:
#: such a one is not made again for some minutes. What is due below the mark is still due when it is.
_scan = Scan(longest=300.0)


def delays() -> dict[str, float]:
    """For each queue with something due, for how many seconds the first of it has been due: two cheap queries."""
    queue_of = {head: due.queue for due in due_handlers(_scan) for head in due.head if head is not None}
    found: dict[str, float] = {}
    for pk, due_at, now in (
        Delivery.objects.filter(pk__in=queue_of).annotate(now=Now()).values_list("pk", "due_at", "now")
    ):
        queue = queue_of[pk]
        found[queue] = max(found.get(queue, 0.0), (now - due_at).total_seconds())
    return found


def bells_waiting(app: Celery, *, queues: Collection[str]) -> dict[str, int]:
    """How many bells wait in each queue.

    Raises:
        ConnectionError: the broker does not answer.
    """
    bells = Bells(app)
    try:
        return {queue: bells.waiting(queue) for queue in queues}
    except bells.errors as error:
        raise ConnectionError(str(error)) from error
    finally:
        bells.close()
