"""Turns claims into events."""

import logging
from collections.abc import Sequence

from celery.exceptions import SoftTimeLimitExceeded

from ..backends import Claim
from ..errors import InvalidEvent, UnknownEvent
from ..events import Event, event_type_named
from ..registry import Handler
from .settlement import snooze

logger = logging.getLogger(__name__)


def decode_all(
    handler: Handler, claims: Sequence[Claim]
) -> tuple[list[tuple[Claim, Event]], list[tuple[Claim, InvalidEvent]]]:
    """Split claims into those whose event can be decoded and those whose event cannot.

    Claims that only another release can handle are snoozed.
    """
    readable: list[tuple[Claim, Event]] = []
    unreadable: list[tuple[Claim, InvalidEvent]] = []
    unknown: dict[str, list[Claim]] = {}
    for claim in claims:
        try:
            readable.append((claim, _decode(handler, claim)))
        except UnknownEvent:
            unknown.setdefault(f"{claim.type} version {claim.version}", []).append(claim)
        except InvalidEvent as invalid:
            if isinstance(invalid.__cause__, SoftTimeLimitExceeded):
                raise invalid.__cause__ from None  # it says nothing about the event
            unreadable.append((claim, invalid))
    for waits_for, waiting in unknown.items():
        logger.warning("%s: %d wait for a release in which it takes %s", handler.name, len(waiting), waits_for)
        snooze(claims=waiting, waits_for=waits_for)
    return readable, unreadable


def _decode(handler: Handler, claim: Claim) -> Event:
    if not handler.takes(claim.type):
        raise UnknownEvent(f"{handler.name} does not take {claim.type} in this release.")
    event_type = event_type_named(claim.type, version=claim.version)
    return event_type.decode(
        claim.data,
        version=claim.version,
        id=claim.event_id,
        sequence=claim.sequence,
        correlation_id=claim.correlation_id,
        traceparent=claim.traceparent,
        time=claim.time,
    )
