"""The circuit breaker (https://martinfowler.com/bliki/CircuitBreaker.html): a handler that only fails is left to rest.

Its state is in all rows of the handler's subscriptions. Closed: `rests_until` is null. Open: it lies ahead, and nothing
is rung or claimed, so a bad release or a dead mail server turns no backlog into dead letters. Half-open: it has passed,
and one worker may try one delivery.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from .models import Subscription

logger = logging.getLogger(__name__)

#: Single failures in a row after which a handler rests.
FAILURES = 20
#: Seconds of the first rest; each further one without a success between is twice as long, up to the longest.
FIRST_REST = 30.0
LONGEST_REST = 300.0


def count_failure(*, handler: str, trial: bool) -> None:
    """Count a single failure, within the transaction that writes it down; after enough of them the handler rests.

    Args:
        trial: the failure is that of a trial, so the handler rests again, and longer.
    """
    rows = Subscription.objects.filter(handler=handler)
    # Locked in one order, as two workers may count at once.
    state = list(rows.select_for_update().order_by("id").values_list("failures", "rests", "rests_until"))
    if not state:
        return
    failures, rests, rests_until = state[0]
    if not trial and (rests_until is not None or failures + 1 < FAILURES):
        rows.update(failures=F("failures") + 1)
        return
    seconds = rest_seconds(rests=rests + 1)
    rows.update(failures=F("failures") + 1, rests=rests + 1, rests_until=Now() + timedelta(seconds=seconds))
    logger.warning("%s: failed %d times in a row, so it rests for %g s", handler, failures + 1, seconds)


def rests(*, handler: str) -> bool:
    """Whether a handler rests, or waits for its trial."""
    return Subscription.objects.filter(handler=handler, rests_until__isnull=False).exists()


def rest_seconds(*, rests: int) -> float:
    """How long the so-manyth rest in a row is."""
    return min(FIRST_REST * 2.0 ** (rests - 1), LONGEST_REST)


def take_trial(*, handler: str, seconds: float) -> bool:
    """Whether the handler's rest is over and this worker may try one delivery; for so many seconds nobody else may."""
    over = Subscription.objects.filter(handler=handler, rests_until__lte=Now())
    if not over.exists():  # mostly none rests, which takes no lock to find out; on SQLite that is the one writer's
        return False
    with transaction.atomic():
        # Who waits here for another worker finds that the rest is no longer over.
        ids = list(over.select_for_update().order_by("id").values_list("id", flat=True))
        if ids:
            rows = Subscription.objects.filter(handler=handler)
            rows.update(rests_until=Now() + timedelta(seconds=seconds))
    return bool(ids)


def end_trial(*, handler: str) -> None:
    """Let somebody have the next trial at once: in this one there was nothing to try."""
    Subscription.objects.filter(handler=handler, rests_until__isnull=False).update(rests_until=Now())


def close(*, handlers: Collection[str]) -> int:
    """Forget the failures of handlers and end their rests.

    Returns:
        How many of the handlers had any.
    """
    with transaction.atomic():
        rows = Subscription.objects.filter(handler__in=handlers, failures__gt=0).select_for_update().order_by("id")
        resting = dict(rows.values_list("handler", "rests"))
        Subscription.objects.filter(handler__in=resting).update(failures=0, rests=0, rests_until=None)
    for handler, rests in resting.items():
        if rests:
            logger.info("%s: works again, its rest is over", handler)
    return len(resting)
