"""Claims: how a worker takes deliveries for itself. settlement.py has the ways in which a claim ends.

A claim is a lease (a visibility timeout): if its worker falls silent, another worker may claim the delivery later. The
number of attempts is the fence: a worker that was away too long finds that the number has grown, and changes nothing.
"""

import time
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, Q
from django.db.models.functions import Now

from ..backends import Claim, backend, bus_atomic, bus_connection
from ..models import Delivery, Subscription
from ..registry import Handler
from ..watermarks import Watermark, below
from .circuit_breaker import count_failure
from .failures import record_failure, signature_of

#: Leases and backoffs double with the attempts, up to this many seconds.
MAX_BACKOFF_S = 600.0
#: An external handler has no transaction that holds its delivery, so its lease is its time limit and these seconds.
EXTERNAL_LEASE_MARGIN_S = 10.0

#: Where this process's scans begin, by handler.
_fresh_watermarks: dict[str, Watermark] = {}
_retry_watermarks: dict[str, Watermark] = {}


def claim_fresh(*, handler: Handler, limit: int, durable: bool, probe: bool = False) -> list[Claim]:
    """Claim up to `limit` due deliveries without attempts, oldest first.

    Return none while the handler is paused or its circuit is open.

    Args:
        durable: wait until the claim is on disk. It need not be, because a lost claim is made again; but then the
            attempts of a handler that crashes the database would not be counted.
        probe: this worker has the probe of a half-open circuit.
    """
    watermark, began = _fresh_watermarks.setdefault(handler.name, Watermark()), time.monotonic()
    since = watermark.begin()
    claims, first_due = backend().claim_fresh(
        handler=handler.name,
        since=since,
        limit=limit,
        lease_s=lease_seconds(handler, attempts=1),
        durable=durable,
        probe=probe,
    )
    watermark.end(since=since, clear_until=first_due, seconds=time.monotonic() - began)
    return claims


def claim_retry(*, handler: Handler, probe: bool = False) -> Claim | Delivery | None:
    """Claim the due retry that has waited longest. Return none while the handler is paused or its circuit is open.

    Args:
        probe: this worker has the probe of a half-open circuit.

    Returns:
        The claim; or the delivery itself, now a dead letter, if its attempts are used up because its worker vanished
        each time; or None if no retry is due.
    """
    since = _first_retry(handler.name)
    if since is None:
        return None
    stopped = Q(paused=True) if probe else Q(paused=True) | Q(open_until__isnull=False)
    with bus_atomic():
        due = (
            Delivery.objects.select_for_update(skip_locked=bus_connection().features.has_select_for_update_skip_locked)
            .filter(~Exists(Subscription.objects.filter(stopped, handler=handler.name)))
            .filter(handler=handler.name, attempts__gt=0, dead_at=None, due_at__lte=Now(), due_at__gte=since)
            .order_by("due_at", "id")
            .first()
        )
        if due is None:
            return None
        if due.attempts >= handler.attempts:
            _bury_vanished(due, handler=handler, probe=probe)
            return due
        attempts = due.attempts + 1
        lease = timedelta(seconds=lease_seconds(handler, attempts=attempts))
        Delivery.objects.filter(pk=due.pk).update(attempts=attempts, due_at=Now() + lease, waits_for="")
        return backend().read_claims(handler=handler.name, delivery_ids=[due.pk])[0]


def _bury_vanished(due: Delivery, *, handler: Handler, probe: bool) -> None:
    """Make a dead letter of a locked delivery whose worker vanished at each attempt."""
    signature = signature_of(handler=handler.name, error="WorkerVanished")
    Delivery.objects.filter(pk=due.pk).update(dead_at=Now(), signature=signature, waits_for="")
    record_failure(
        delivery_id=due.pk,
        event_id=due.event_id,
        handler=handler.name,
        attempt=due.attempts,
        error="WorkerVanished",
        signature=signature,
        traceback=(
            f"Claimed {due.attempts} times, and neither settled nor failed: each time its worker was killed, stopped "
            "or cut off. The handler may kill its process on this event, or run past its time limit."
        ),
    )
    # Counted once, not at each attempt: most workers that vanish do so for reasons of their own.
    count_failure(handler=handler.name, probe=probe)


def _first_retry(handler: str) -> datetime | None:
    """The due time from which to look for a due retry; None if no retry is due, which takes no lock to find out."""
    watermark, began = _retry_watermarks.setdefault(handler, Watermark()), time.monotonic()
    since = watermark.begin()
    due, now = backend().first_retry(handler=handler, since=since)
    watermark.end(since=since, clear_until=now if due is None else due, seconds=time.monotonic() - began)
    return None if due is None else datetime.fromtimestamp(below(due), UTC)


def forget_watermarks() -> None:
    """Let the next claims scan everything that is due."""
    _fresh_watermarks.clear()
    _retry_watermarks.clear()


def lease_seconds(handler: Handler, *, attempts: int) -> float:
    """How long a claim lasts. It grows, so that kills in a row do not use up an innocent delivery's attempts."""
    grown = min(backend().lease_s * 2.0 ** (attempts - 1), MAX_BACKOFF_S)
    return max(grown, handler.time_limit + EXTERNAL_LEASE_MARGIN_S) if handler.external else grown
