"""The circuit breaker (https://martinfowler.com/bliki/CircuitBreaker.html) of each handler.

Its state is in all subscription rows of the handler. Closed: `open_until` is null. Open: `open_until` lies ahead, and
the handler is neither rung nor given deliveries, so a bad release or a dead mail server does not turn a backlog into
dead letters. Half-open: `open_until` has passed, and one worker may probe with one delivery.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from ..backends import bus_atomic
from ..models import Subscription

logger = logging.getLogger(__name__)

#: Failures in a row after which a circuit opens.
FAILURE_THRESHOLD = 20
#: Seconds for which it opens first. Each failed probe doubles them, up to the maximum.
FIRST_OPEN_S = 30.0
MAX_OPEN_S = 300.0


def count_failure(*, handler: str, probe: bool) -> None:
    """Count a failure within the transaction that records it, and open the circuit after enough of them.

    Args:
        probe: the failed attempt was a probe, so the circuit opens again, for longer.
    """
    rows = Subscription.objects.filter(handler=handler)
    # Locked in one order, because two workers may count at once.
    state = list(rows.select_for_update().order_by("id").values_list("failures", "openings", "open_until"))
    if not state:
        return
    failures, openings, open_until = state[0]
    if not probe and (open_until is not None or failures + 1 < FAILURE_THRESHOLD):
        rows.update(failures=F("failures") + 1)
        return
    seconds = open_seconds(openings=openings + 1)
    rows.update(failures=F("failures") + 1, openings=openings + 1, open_until=Now() + timedelta(seconds=seconds))
    logger.warning("%s: failed %d times in a row, so its circuit is open for %g s", handler, failures + 1, seconds)


def is_open(*, handler: str) -> bool:
    """Whether a handler's circuit is open or half-open."""
    return Subscription.objects.filter(handler=handler, open_until__isnull=False).exists()


def open_seconds(*, openings: int) -> float:
    """Seconds for which a circuit stays open when it opens for the nth time in a row."""
    return min(FIRST_OPEN_S * 2.0 ** (openings - 1), MAX_OPEN_S)


def begin_probe(*, handler: str, seconds: float) -> bool:
    """Take the probe of a half-open circuit, for `seconds`.

    Returns:
        Whether this worker has it: the circuit is half-open, and no other worker was first.
    """
    half_open = Subscription.objects.filter(handler=handler, open_until__lte=Now())
    if not half_open.exists():  # usually no circuit is; asking takes no lock, which on SQLite is the one writer's
        return False
    with bus_atomic():
        # A worker that waits here for another one finds that the circuit is open again.
        ids = list(half_open.select_for_update().order_by("id").values_list("id", flat=True))
        if ids:
            rows = Subscription.objects.filter(handler=handler)
            rows.update(open_until=Now() + timedelta(seconds=seconds))
    return bool(ids)


def release_probe(*, handler: str) -> None:
    """Let another worker probe at once, because this one found nothing to try."""
    Subscription.objects.filter(handler=handler, open_until__isnull=False).update(open_until=Now())


def close(*, handlers: Collection[str]) -> int:
    """Reset the failures of handlers and close their circuits. Return how many of them had failures."""
    with bus_atomic():
        rows = Subscription.objects.filter(handler__in=handlers, failures__gt=0).select_for_update().order_by("id")
        failing = dict(rows.values_list("handler", "openings"))
        Subscription.objects.filter(handler__in=failing).update(failures=0, openings=0, open_until=None)
    for handler, openings in failing.items():
        if openings:
            logger.info("%s: works again, its circuit is closed", handler)
    return len(failing)
