"""Whether relay and workers keep up, judged by what they leave undone. Nobody asks the processes themselves."""

from collections.abc import Collection

from celery import Celery
from django.db.models.functions import Now

from ..errors import BrokerUnavailable, QueueUnavailable
from ..models import Delivery
from ..relay.broker import Doorbell
from ..relay.scan import DueScan

#: Beside an old snapshot a full scan may take seconds, which a health check does not have. So a slow one is not
#: repeated for some minutes. What is due below the watermark is still due then.
_scan = DueScan(max_backoff_s=300.0)


def delays() -> dict[str, float]:
    """For each queue with something due, the seconds since its first delivery became due: two cheap queries."""
    queue_of = {head: due.queue for due in _scan.due() for head in due.head if head is not None}
    found: dict[str, float] = {}
    for pk, due_at, now in (
        Delivery.objects.filter(pk__in=queue_of).annotate(now=Now()).values_list("pk", "due_at", "now")
    ):
        queue = queue_of[pk]
        found[queue] = max(found.get(queue, 0.0), (now - due_at).total_seconds())
    return found


def bells_waiting(app: Celery, *, queues: Collection[str]) -> dict[str, int | None]:
    """How many bells wait in each queue; None for one that cannot be used.

    Raises:
        BrokerUnavailable: the broker does not answer.
    """
    doorbell = Doorbell(app)
    try:
        return {queue: _waiting(doorbell, queue) for queue in queues}
    except doorbell.errors as error:
        raise BrokerUnavailable(str(error)) from error
    finally:
        doorbell.close()


def _waiting(doorbell: Doorbell, queue: str) -> int | None:
    try:
        return doorbell.waiting(queue)
    except QueueUnavailable:  # the doorbell has logged it
        return None
