"""What a worker has claimed, as events."""

import logging
from collections.abc import Sequence

from celery.exceptions import SoftTimeLimitExceeded

from .claims import Claim
from .endings import hand_back
from .events import Event, InvalidEvent, UnknownEvent, event_type_named
from .registry import Handler

logger = logging.getLogger(__name__)


def decode_all(
    handler: Handler, claims: Sequence[Claim]
) -> tuple[list[tuple[Claim, Event]], list[tuple[Claim, InvalidEvent]]]:
    """Decode each event; those that can be, and those that cannot.

    What only another release knows, or gives to this handler, is handed back.
    """
    readable: list[tuple[Claim, Event]] = []
    unreadable: list[tuple[Claim, InvalidEvent]] = []
    other: dict[str, list[Claim]] = {}
    for claim in claims:
        try:
            readable.append((claim, _decode(handler, claim)))
        except UnknownEvent:
            other.setdefault(f"{claim.type} version {claim.version}", []).append(claim)
        except InvalidEvent as invalid:
            if isinstance(invalid.__cause__, SoftTimeLimitExceeded):
                raise invalid.__cause__ from None  # it says nothing of the event
            unreadable.append((claim, invalid))
    for waits_for, unknown in other.items():
        logger.warning("%s: %d wait for a release in which it takes %s", handler.name, len(unknown), waits_for)
        hand_back(claims=unknown, waits_for=waits_for)
    return readable, unreadable


def _decode(handler: Handler, claim: Claim) -> Event:
    if not handler.takes(claim.type):
        raise UnknownEvent(f"{handler.name} takes no {claim.type} in this release")
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
