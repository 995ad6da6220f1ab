"""What becomes of claimed deliveries: finished, released, handed back, failed. Each only while it is still ours.

A claim's `attempts` is its fence (project/bus/claims.py).
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from .breaker import count_failure
from .claims import LONGEST_WAIT, Claim
from .failures import write_failure
from .models import Delivery, Receipt
from .registry import Handler
from .sql import listed, run
from .worker import worker_name

#: Seconds until a newer release's event is looked at again, by a worker of that release if there is one.
HAND_BACK = 30.0


def finish(*, claims: Sequence[Claim]) -> set[int]:
    """Turn those deliveries that are still ours into receipts, and hold them until the open transaction ends.

    Args:
        claims: of one handler, with the same number of attempts.

    Returns:
        The ids of the deliveries that were still ours.
    """
    claims = sorted(claims)
    ids, attempts = [claim.delivery_id for claim in claims], claims[0].attempts
    if connection.vendor == "postgresql":
        places = [claim.ctid for claim in claims]
        return {row[0] for row in run(_FINISH_POSTGRESQL, ids, places, attempts, worker_name())}
    mine = {row[0] for row in run(_RECEIPTS_SQLITE, worker_name(), listed(ids), attempts)}
    # One writer, so nothing changes between the two statements.
    run(_DELETE_SQLITE, listed(ids), attempts)
    return mine


def finish_external(*, claim: Claim) -> None:
    """Turn a delivery whose effect has happened into a receipt, even if its lease has passed or it was given up."""
    with transaction.atomic():
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


def release(*, claims: Sequence[Claim]) -> None:
    """Make deliveries due at once, so that each is claimed alone: they were in a batch that failed."""
    _change(claims, due_at=Now())


def give_back(*, claims: Sequence[Claim]) -> None:
    """Make deliveries due at once, as if they had never been claimed: nothing was tried with them."""
    _change(claims, attempts=F("attempts") - 1, due_at=Now())


def hand_back(*, claims: Sequence[Claim], waits_for: str) -> None:
    """Leave deliveries to a worker of a newer release; the attempt does not count.

    Args:
        waits_for: the event type and version that this release does not know.
    """
    due_at = Now() + timedelta(seconds=HAND_BACK)
    _change(claims, attempts=F("attempts") - 1, due_at=due_at, waits_for=waits_for)


def _change(claims: Sequence[Claim], **values: Any) -> None:
    """Change those deliveries that are still ours, locked in the order of their ids."""
    if not claims:
        return
    ids = [claim.delivery_id for claim in claims]
    with transaction.atomic():
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
    trial: bool = False,
) -> bool:
    """Write down that an attempt failed, and when the next is due: later each time, never after the last.

    Args:
        permanent: no retry can help, so it is a dead letter at once.
        counted: the circuit breaker counts it, as it may be the handler's fault and not the event's.
        trial: it was the trial of a handler whose rest is over, which is counted in any case.

    Returns:
        Whether the delivery is now a dead letter.
    """
    dead = permanent or claim.attempts >= handler.attempts
    with transaction.atomic():
        still_ours = Delivery.objects.filter(pk=claim.delivery_id, attempts=claim.attempts, dead_at=None).update(
            signature=signature,
            waits_for="",
            **({"dead_at": Now()} if dead else {"due_at": Now() + timedelta(seconds=backoff_seconds(claim.attempts))}),
        )
        if still_ours:
            write_failure(
                delivery_id=claim.delivery_id,
                event_id=claim.event_id,
                handler=handler.name,
                attempt=claim.attempts,
                error=error,
                signature=signature,
                traceback=traceback,
            )
            if counted or trial:
                count_failure(handler=handler.name, trial=trial)
    return bool(still_ours) and dead


def backoff_seconds(attempts: int) -> float:
    """Capped exponential backoff with full jitter, from 1 s.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return random.uniform(0, min(2.0 ** (attempts - 1), LONGEST_WAIT))


# This waits for locks, and must: a claim that began before ours was committed locks our rows for a moment before it
# sees that they are taken. To skip those would leave a whole batch to its lease. Deliveries are always locked in the
# order of their ids, and by a handler's transaction before anything else, so nobody waits in a circle. Each is looked
# for by itself (LATERAL), in the order given, at the place where the claim left it: who has changed it since, moved it.
_FINISH_POSTGRESQL = """
    WITH mine AS MATERIALIZED (
        SELECT delivery.ctid FROM unnest(%s::bigint[], %s::tid[]) AS claimed (id, ctid), LATERAL (
            SELECT ctid FROM bus_delivery
            WHERE ctid = claimed.ctid AND id = claimed.id AND attempts = %s AND dead_at IS NULL FOR UPDATE
        ) AS delivery
    ),
    gone AS (
        DELETE FROM bus_delivery WHERE ctid = ANY (ARRAY(SELECT ctid FROM mine))
        RETURNING id, event_id, handler, attempts
    )
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, ended_at)
    SELECT id, event_id, handler, 'done', attempts, %s, now() FROM gone
    RETURNING delivery_id
"""
_OURS_SQLITE = "id IN (SELECT value FROM json_each(%s)) AND attempts = %s AND dead_at IS NULL"
_DELETE_SQLITE = f"DELETE FROM bus_delivery WHERE {_OURS_SQLITE}"
_RECEIPTS_SQLITE = f"""
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, ended_at)
    SELECT id, event_id, handler, 'done', attempts, %s, strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')
    FROM bus_delivery WHERE {_OURS_SQLITE}
    RETURNING delivery_id
"""
