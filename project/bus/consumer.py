"""@subscribe, and what a worker does when a bell rings: claim, decode, handle, receipt; and trouble.

docs/bus.md tells the protocol as a whole. In short: a claim counts the attempt and commits; the handler's transaction
turns the claimed deliveries into receipts, so they are done if and only if its effects are; whatever has been tried
once and is still there is tried alone.
"""

import logging
import random
import time
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TypeVar

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from . import breaker, sessions
from .claims import Claim, claim_fresh, claim_tried, lease_seconds
from .decoding import decode_all
from .endings import fail, finish, finish_external, give_back, release
from .events import Event, InvalidEvent
from .failures import signature_of
from .models import Delivery
from .outbox import handling
from .registry import Handler, register

logger = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., object])

#: The queue of handlers that reach outside, so that a hanging mail server stalls no other work.
EXTERNAL_QUEUE = "external"
BATCH = 1000
#: Events that a handler of single events is given in one transaction: its time limit is for all of them, and more than
#: 64 savepoints in a transaction make PostgreSQL slow for everybody.
SINGLES = 50
#: Tried deliveries handled after each batch of fresh ones, so that neither kind starves the other.
TRIED_PER_BATCH = 10
#: Seconds after which an answer to a bell ends, though more is due: the relay rings again, maybe for another handler.
ANSWER = 1.0
#: Seconds between a handler's soft time limit, which it sees as an exception, and its process being killed.
GRACE = 5

_delivery_in_hand: ContextVar[Claim] = ContextVar("delivery_in_hand")


class PermanentError(Exception):
    """Raised by a handler for an event that no retry can help: it becomes a dead letter at once."""


def subscribe(
    *event_types: type[Event], batch: bool = False, external: bool = False, attempts: int = 8, time_limit: int = 30
) -> Callable[[Function], Function]:
    """Subscribe a function to event types, as the Celery task ``service.function`` on the service's queue.

    The function stays plain. It may be called late, again after a rollback, and in any order of events.

    Args:
        batch: call it with a sequence of up to 1000 events instead of one event.
        external: it reaches outside the database. It is called singly, outside any transaction, at least once, on the
            queue "external"; `idempotency_key()` lets the other side recognise a repeat.
        attempts: how often it is tried before the delivery is a dead letter. A try in a batch is one, so it is
            2 or more but for external handlers.
        time_limit: seconds for one call of a batch, or of an external handler; for all of the up to 50 events that
            another one is given one after the other in one transaction.

    Raises:
        ValueError: the function's name is taken, or the options exclude each other.
    """
    if batch and external:
        raise ValueError("an external handler is called singly: leave out batch=True")
    if attempts < 2 and not external:
        raise ValueError("attempts must be 2 or more: of an event whose batch failed, nothing would be tried alone")

    def decorate(function: Function) -> Function:
        service = function.__module__.split(".")[-2]
        handler = Handler(
            name=f"{service}.{function.__name__}",
            function=function,
            event_types=event_types,
            queue=EXTERNAL_QUEUE if external else service,
            batch=batch,
            external=external,
            attempts=attempts,
            time_limit=time_limit,
        )
        register(handler)

        soft = time_limit + int(ANSWER)

        @shared_task(name=handler.name, soft_time_limit=soft, time_limit=soft + GRACE)
        def ring() -> None:
            answer_bell(handler)

        return function

    return decorate


def idempotency_key() -> str:
    """Within an external handler: the same at every repeat of the delivery in hand, and of no other delivery.

    The event's id is part of it, for delivery ids begin anew in a new database.
    """
    claim = _delivery_in_hand.get()
    return f"{claim.event_id}-{claim.delivery_id}"


def answer_bell(handler: Handler) -> None:
    """Handle what is due for a handler, until nothing more is waiting or a second has passed."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    session = connection.connection
    deadline = time.monotonic() + ANSWER
    # Nothing begins after the deadline; so that batches which take all of it never starve what has been tried before,
    # one answer in ten starts with that.
    fresh_first = random.random() > 0.1
    more, found = True, False
    try:
        while more and time.monotonic() < deadline:
            limit = _limit(handler)
            claimed = _answer_fresh(handler, limit=limit) if fresh_first else 0
            # A batch that is not full took all there was: what has come since may gather until the next bell.
            more = claimed == limit or not fresh_first
            found = found or claimed > 0
            for _ in range(TRIED_PER_BATCH):
                if time.monotonic() >= deadline or not _answer_tried(handler):
                    break
                more = found = True
            fresh_first = True
        if (
            not found
            and breaker.take_trial(handler=handler.name, seconds=_trial_seconds(handler))
            and not _answer_trial(handler)
        ):
            breaker.end_trial(handler=handler.name)
    except Exception as error:
        sessions.tidy(error, session=session)
        raise


def _limit(handler: Handler) -> int:
    if handler.external or sessions.cautious():
        return 1
    return BATCH if handler.batch else SINGLES


def _trial_seconds(handler: Handler) -> float:
    """How long a trial may take: one more while it lasts would be two deliveries tried at once."""
    return max(lease_seconds(handler, attempts=1), handler.time_limit + ANSWER + GRACE)


def _answer_fresh(handler: Handler, *, limit: int) -> int:
    """Handle up to so many that nobody has tried; how many there were."""
    claims = claim_fresh(handler=handler, limit=limit, durable=sessions.cautious())
    _handle(handler, claims)
    return len(claims)


def _answer_tried(handler: Handler, *, trial: bool = False) -> bool:
    claim = claim_tried(handler=handler, trial=trial)
    if isinstance(claim, Delivery):
        logger.error("%s: delivery %d is a dead letter, its worker vanished each time", handler.name, claim.pk)
    elif claim is not None:
        _handle(handler, [claim], trial=trial)
    return claim is not None


def _answer_trial(handler: Handler) -> bool:
    """Try one delivery of a handler whose rest is over; whether there was one to try.

    A fresh one first: else a few poison events could keep a handler resting that all others need. And one that can be
    read, among the next few: else a row of those that cannot would do the same.
    """
    claims = claim_fresh(handler=handler, limit=SINGLES, durable=sessions.cautious(), trial=True)
    readable, unreadable = decode_all(handler, claims)
    if readable:
        give_back(claims=[claim for claim, _ in readable[1:]])
        _set_aside(handler, unreadable, counted=False)
        _handle_readable(handler, readable[:1], trial=True)
    elif unreadable:
        # Tried, so that the next trial looks further.
        release(claims=[claim for claim, _ in unreadable[1:]])
        _set_aside(handler, unreadable[:1], counted=True, trial=True)
    return bool(readable or unreadable) or _answer_tried(handler, trial=True)


def _handle(handler: Handler, claims: Sequence[Claim], *, trial: bool = False) -> None:
    """Decode each event, set those aside that cannot be, and have the rest handled together."""
    readable, unreadable = decode_all(handler, claims)
    _set_aside(handler, unreadable, counted=not readable, trial=trial)
    if readable:
        _handle_readable(handler, readable, trial=trial)


def _handle_readable(handler: Handler, readable: Sequence[tuple[Claim, Event]], *, trial: bool) -> None:
    session = connection.connection
    try:
        done = _run_external(handler, *readable[0]) if handler.external else _run(handler, readable)
        if done and any(claim.failing for claim, _ in readable):
            breaker.close(handlers=[handler.name])
        logger.info("%s: %d done", handler.name, done)
    except Exception as error:  # whatever a handler raises ends as a retry or a dead letter, with its traceback
        sessions.tidy(error, session=session)
        if len(readable) == 1:
            _fail(handler, readable[0][0], error, trial=trial)
        else:
            logger.warning(
                "%s: a batch of %d failed with %s: %s; each is tried alone",
                handler.name,
                len(readable),
                type(error).__name__,
                _said(error),
            )
            release(claims=[claim for claim, _ in readable])
        if isinstance(error, SoftTimeLimitExceeded):
            raise  # the time of this whole answer is up: beginning anything else would get the process killed


def _set_aside(
    handler: Handler, unreadable: Sequence[tuple[Claim, InvalidEvent]], *, counted: bool, trial: bool = False
) -> None:
    """Make dead letters of what cannot be decoded, until the handler rests.

    Args:
        counted: nothing else of the batch could be decoded either. Then it may be the release that is wrong and not the
            events, which the circuit breaker is for.
    """
    for number, (claim, invalid) in enumerate(unreadable, start=1):
        _fail(handler, claim, invalid, counted=counted, trial=trial)
        if counted and (rest := unreadable[number:]) and breaker.rests(handler=handler.name):
            release(claims=[claim for claim, _ in rest])
            return


def _run(handler: Handler, readable: Sequence[tuple[Claim, Event]]) -> int:
    """Have what is still ours handled, in one transaction with its receipts; how much that was."""
    with transaction.atomic():
        mine = finish(claims=[claim for claim, _ in readable])
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
    token = _delivery_in_hand.set(claim)
    try:
        with handling(event):
            handler.function(event)
    finally:
        _delivery_in_hand.reset(token)
    finish_external(claim=claim)
    return 1


def _fail(handler: Handler, claim: Claim, error: Exception, *, trial: bool, counted: bool = True) -> None:
    name = type(error).__name__
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    where = f"{place.filename}:{place.name}" if place else ""
    dead = fail(
        handler=handler,
        claim=claim,
        error=f"{name}: {_said(error)}",
        signature=signature_of(handler=handler.name, error=name, place=where),
        traceback="".join(traceback.format_exception(error)),
        permanent=isinstance(error, (PermanentError, InvalidEvent)),
        counted=counted and not isinstance(error, PermanentError),
        trial=trial,
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


def _said(error: Exception) -> str:
    try:
        return str(error)
    except Exception as other:  # noqa: BLE001 - an error that cannot say what it is must not hide that there was one
        return f"its text raises {type(other).__name__}"
