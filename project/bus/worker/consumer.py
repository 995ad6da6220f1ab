"""Answers a bell: claim, decode, handle, acknowledge; and what happens after an error.

docs/bus.md describes the whole protocol. In short: a claim counts the attempt and commits. The handler's transaction
turns the claimed deliveries into receipts, so they are done if and only if the handler's effects are there. A delivery
that was tried once and is still there is tried alone.
"""

import logging
import random
import time
import traceback
from collections.abc import Sequence

from celery.exceptions import SoftTimeLimitExceeded
from django.dispatch import receiver

from ..backends import Claim, bus_atomic, bus_connection
from ..context import handling
from ..errors import InvalidEvent, PermanentError, TransientError
from ..events import Event
from ..models import Delivery
from ..registry import ANSWER_BUDGET_S, KILL_GRACE_S, Handler, bell_received
from . import circuit_breaker, sessions
from .claims import claim_fresh, claim_retry, lease_seconds
from .decoding import decode_all
from .failures import signature_of
from .settlement import ack, ack_external, fail, requeue, unclaim

logger = logging.getLogger(__name__)

#: Deliveries that a batch handler is given in one transaction.
BATCH_SIZE = 1000
#: Events that a handler of single events is given in one transaction: its time limit is for all of them, and more than
#: 64 savepoints in a transaction make PostgreSQL slow for everybody.
SINGLES_PER_TRANSACTION = 50
#: Retries handled after each batch of fresh deliveries, so that neither kind starves the other.
RETRIES_PER_BATCH = 10


@receiver(bell_received)
def answer(*, handler: Handler, **_: object) -> None:
    """Answer a bell that arrived as a Celery task."""
    answer_bell(handler)


def answer_bell(handler: Handler) -> None:
    """Handle what is due for a handler, until nothing more is due or the budget of time is spent."""
    if not bus_connection().in_atomic_block:
        bus_connection().close_if_unusable_or_obsolete()
    session = bus_connection().connection
    try:
        with sessions.limited():
            if (
                not _work(handler)
                and circuit_breaker.begin_probe(handler=handler.name, seconds=_probe_seconds(handler))
                and not _probe(handler)
            ):
                circuit_breaker.release_probe(handler=handler.name)
    except Exception as error:
        sessions.clean_up(error, session=session)
        raise


def _work(handler: Handler) -> bool:
    """Handle batches and retries in turn. Return whether anything was due."""
    deadline = time.monotonic() + ANSWER_BUDGET_S
    # Nothing begins after the deadline. One answer in ten begins with retries, so that batches which use the whole
    # budget never starve them.
    fresh_first = random.random() > 0.1
    more, found = True, False
    while more and time.monotonic() < deadline:
        limit = _limit(handler)
        claimed = _handle_fresh(handler, limit=limit) if fresh_first else 0
        # A batch that is not full took all that was due. What has arrived since may gather until the next bell.
        more = claimed == limit or not fresh_first
        found = found or claimed > 0
        for _ in range(RETRIES_PER_BATCH):
            if time.monotonic() >= deadline or not _handle_retry(handler):
                break
            more = found = True
        fresh_first = True
    return found


def _limit(handler: Handler) -> int:
    if handler.external or sessions.is_cautious():
        return 1
    return BATCH_SIZE if handler.batch else SINGLES_PER_TRANSACTION


def _probe_seconds(handler: Handler) -> float:
    """How long a probe may take: a second probe meanwhile would try two deliveries at once."""
    return max(lease_seconds(handler, attempts=1), handler.time_limit + ANSWER_BUDGET_S + KILL_GRACE_S)


def _handle_fresh(handler: Handler, *, limit: int) -> int:
    """Handle up to `limit` deliveries without attempts. Return how many were due."""
    claims = claim_fresh(handler=handler, limit=limit, durable=sessions.is_cautious())
    _handle(handler, claims)
    return len(claims)


def _handle_retry(handler: Handler, *, probe: bool = False) -> bool:
    """Handle one retry. Return whether one was due."""
    claim = claim_retry(handler=handler, probe=probe)
    if isinstance(claim, Delivery):
        logger.error("%s: delivery %d is a dead letter, its worker vanished each time", handler.name, claim.pk)
    elif claim is not None:
        _handle(handler, [claim], probe=probe)
    return claim is not None


def _probe(handler: Handler) -> bool:
    """Try one delivery of a handler whose circuit is half-open. Return whether there was one to try.

    A fresh one goes first: otherwise a few poison events could keep a circuit open that all other events need closed.
    And the first readable one of the next few: otherwise a row of unreadable events would do the same.
    """
    claims = claim_fresh(handler=handler, limit=SINGLES_PER_TRANSACTION, durable=sessions.is_cautious(), probe=True)
    readable, unreadable = decode_all(handler, claims)
    if readable:
        unclaim(claims=[claim for claim, _ in readable[1:]])
        _bury(handler, unreadable, counted=False)
        _handle_readable(handler, readable[:1], probe=True)
    elif unreadable:
        # They were tried, so the next probe looks further.
        requeue(claims=[claim for claim, _ in unreadable[1:]])
        _bury(handler, unreadable[:1], counted=True, probe=True)
    return bool(readable or unreadable) or _handle_retry(handler, probe=True)


def _handle(handler: Handler, claims: Sequence[Claim], *, probe: bool = False) -> None:
    """Decode the events, bury those that cannot be decoded, and handle the rest together."""
    readable, unreadable = decode_all(handler, claims)
    _bury(handler, unreadable, counted=not readable, probe=probe)
    if readable:
        _handle_readable(handler, readable, probe=probe)


def _handle_readable(handler: Handler, readable: Sequence[tuple[Claim, Event]], *, probe: bool) -> None:
    session = bus_connection().connection
    try:
        done = _run_external(handler, *readable[0]) if handler.external else _run(handler, readable)
        if done and any(claim.failing for claim, _ in readable):
            circuit_breaker.close(handlers=[handler.name])
        logger.info("%s: %d done", handler.name, done)
    except Exception as error:  # whatever a handler raises ends as a retry or a dead letter, with its traceback
        sessions.clean_up(error, session=session)
        if len(readable) == 1:
            _fail(handler, readable[0][0], error, probe=probe)
        else:
            logger.warning(
                "%s: a batch of %d failed with %s: %s; each is tried alone",
                handler.name,
                len(readable),
                type(error).__name__,
                _text(error),
            )
            requeue(claims=[claim for claim, _ in readable])
        if isinstance(error, SoftTimeLimitExceeded):
            raise  # the time of this whole answer is up: starting anything else would get the process killed


def _run(handler: Handler, readable: Sequence[tuple[Claim, Event]]) -> int:
    """Handle the deliveries that are still ours, in one transaction with their receipts. Return how many they were."""
    with bus_atomic():
        # The receipts come before the effects. They lock the deliveries, so that a claim by another worker after our
        # lease waits or finds nothing, and they tell which deliveries are still ours: only those may have an effect.
        # Both commit together, so the order shows in no other transaction.
        mine = ack(claims=[claim for claim, _ in readable])
        events = [event for claim, event in readable if claim.delivery_id in mine]
        if handler.batch:
            if events:
                with handling(events):
                    handler.function(events)
        else:
            for event in events:
                with handling(event):
                    handler.function(event)
    return len(events)


def _run_external(handler: Handler, claim: Claim, event: Event) -> int:
    # The event's id is part of the key because delivery ids begin anew in a new database.
    with handling(event, delivery=f"{claim.event_id}-{claim.delivery_id}"):
        handler.function(event)
    ack_external(claim=claim)
    return 1


def _bury(
    handler: Handler, unreadable: Sequence[tuple[Claim, InvalidEvent]], *, counted: bool, probe: bool = False
) -> None:
    """Make dead letters of deliveries whose event cannot be decoded, until the circuit opens.

    Args:
        counted: no other event of the batch could be decoded either. Then the release may be wrong and not the events,
            which is what the circuit breaker is for.
    """
    for number, (claim, invalid) in enumerate(unreadable, start=1):
        _fail(handler, claim, invalid, counted=counted, probe=probe)
        if counted and (rest := unreadable[number:]) and circuit_breaker.is_open(handler=handler.name):
            requeue(claims=[claim for claim, _ in rest])
            return


def _fail(handler: Handler, claim: Claim, error: Exception, *, probe: bool, counted: bool = True) -> None:
    name = type(error).__name__
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    where = f"{place.filename}:{place.name}" if place else ""
    dead = fail(
        handler=handler,
        claim=claim,
        error=f"{name}: {_text(error)}",
        signature=signature_of(handler=handler.name, error=name, place=where),
        traceback="".join(traceback.format_exception(error)),
        permanent=isinstance(error, (PermanentError, InvalidEvent)),
        counted=counted and not isinstance(error, (PermanentError, TransientError)),
        probe=probe,
    )
    logger.log(
        logging.ERROR if dead else logging.WARNING,
        "%s: attempt %d at delivery %d failed with %s%s",
        handler.name,
        claim.attempts,
        claim.delivery_id,
        name,
        ": it is a dead letter now" if dead else "; it is tried again later",
    )


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception as other:  # noqa: BLE001 - an error without a text must not hide that there was one
        return f"its text raises {type(other).__name__}"
