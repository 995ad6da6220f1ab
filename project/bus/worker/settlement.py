"""Settlement: how a claim ends. It is acknowledged, requeued, unclaimed, snoozed or failed, but only while it is ours.

A claim's `attempts` is its fence (claims.py).
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from ..backends import Claim, backend, bus_atomic
from ..models import Delivery, Receipt
from ..registry import Handler
from .circuit_breaker import count_failure, release_probe
from .claims import MAX_BACKOFF_S
from .failures import record_failure
from .identity import worker_name

#: Seconds until a delivery that waits for a newer release is looked at again, maybe by a worker of that release.
SNOOZE_S = 30.0


def ack(*, claims: Sequence[Claim]) -> set[int]:
    """Turn the deliveries that are still ours into receipts, and hold them until the open transaction ends.

    Args:
        claims: of one handler, with the same number of attempts.

    Returns:
        The ids of the deliveries that were still ours.
    """
    return backend().ack(sorted(claims), worker=worker_name())


def ack_external(*, claim: Claim) -> None:
    """Turn a delivery whose effect has happened into a receipt, even if its lease has passed or it is a dead letter."""
    with bus_atomic():
        delivery = Delivery.objects.select_for_update().filter(pk=claim.delivery_id).first()
        if delivery is not None:
            Receipt.objects.create(
                delivery_id=delivery.pk,
                event_id=delivery.event_id,
                handler=delivery.handler,
                outcome=Receipt.Outcome.DONE,
                attempts=delivery.attempts,
                worker=worker_name(),
            )
            delivery.delete()


def requeue(*, claims: Sequence[Claim]) -> None:
    """Make deliveries of a failed batch due at once, so that each is tried alone. The attempt counts."""
    _update_ours(claims, due_at=Now())


def unclaim(*, claims: Sequence[Claim]) -> None:
    """Make deliveries due at once as if they had never been claimed. The attempt does not count."""
    _update_ours(claims, attempts=F("attempts") - 1, due_at=Now())


def snooze(*, claims: Sequence[Claim], waits_for: str) -> None:
    """Leave deliveries to a worker of a newer release. The attempt does not count.

    Args:
        waits_for: the event type and version that this release does not know.
    """
    due_at = Now() + timedelta(seconds=SNOOZE_S)
    _update_ours(claims, attempts=F("attempts") - 1, due_at=due_at, waits_for=waits_for)


def _update_ours(claims: Sequence[Claim], **values: Any) -> None:
    """Update the deliveries that are still ours, locked in the order of their ids."""
    if not claims:
        return
    ids = [claim.delivery_id for claim in claims]
    with bus_atomic():
        ours = Delivery.objects.filter(pk__in=ids, attempts=claims[0].attempts, dead_at=None).order_by("pk")
        mine = list(ours.select_for_update().values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=mine).update(**values)


def fail(
    *,
    handler: Handler,
    claim: Claim,
    error: str,
    signature: str,
    traceback: str,
    permanent: bool,
    counted: bool = True,
    probe: bool = False,
) -> bool:
    """Record a failed attempt, and when the next one is due: later each time, and never after the last.

    Args:
        permanent: no retry can help, so the delivery is a dead letter at once.
        counted: the circuit breaker counts it, because the handler may be at fault and not the event.
        probe: it was the probe of a half-open circuit. If it is not counted, another worker may probe at once.

    Returns:
        Whether the delivery is now a dead letter.
    """
    dead = permanent or claim.attempts >= handler.attempts
    with bus_atomic():
        still_ours = Delivery.objects.filter(pk=claim.delivery_id, attempts=claim.attempts, dead_at=None).update(
            signature=signature,
            waits_for="",
            **({"dead_at": Now()} if dead else {"due_at": Now() + timedelta(seconds=backoff_seconds(claim.attempts))}),
        )
        if still_ours:
            record_failure(
                delivery_id=claim.delivery_id,
                event_id=claim.event_id,
                handler=handler.name,
                attempt=claim.attempts,
                error=error,
                signature=signature,
                traceback=traceback,
            )
            if counted:
                count_failure(handler=handler.name, probe=probe)
            elif probe:
                release_probe(handler=handler.name)
    return bool(still_ours) and dead


def backoff_seconds(attempts: int) -> float:
    """Capped exponential backoff with full jitter, from 1 s.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return random.uniform(0, min(2.0 ** (attempts - 1), MAX_BACKOFF_S))
