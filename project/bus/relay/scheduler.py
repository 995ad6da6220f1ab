"""Decides which handlers to ring now, and how long to wait until the next poll."""

from collections.abc import Iterable
from dataclasses import dataclass

from .scan import DueHandler, Head

#: Seconds between two polls: while there is work; while a handler's next bell waits for its interval; and while
#: deliveries crowd in.
POLL_BUSY_S = 0.002
POLL_HELD_S = 0.01
POLL_CROWDED_S = 0.02
#: Seconds between two bells for one handler whose work moves on: long enough for a batch to gather.
RING_INTERVAL_S = 0.02
#: The same while more than CROWDED_PER_S deliveries arrive per second: large batches then matter more than an early
#: start.
RING_INTERVAL_CROWDED_S = 0.1
CROWDED_PER_S = 3000
#: The interval doubles up to these seconds while a handler's first due delivery stays the same.
MAX_RING_INTERVAL_S = 1.0


@dataclass(slots=True)
class Ring:
    """The last bell for a handler."""

    head: Head
    at: float
    #: Seconds until the next bell: while the head stays the same, and once it has moved on.
    stuck_s: float
    moving_s: float


class RingScheduler:
    """Chooses from what is due and from when each handler was rung before. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        #: Seconds until the next poll.
        self.poll_in = POLL_BUSY_S

    def ready(self, due: Iterable[DueHandler], *, now: float) -> list[DueHandler]:
        """The handlers whose interval has passed, the one that was rung longest ago first."""
        ready, self.poll_in = [], POLL_BUSY_S
        for d in sorted(due, key=lambda d: self._rings[d.handler].at if d.handler in self._rings else 0.0):
            ring = self._rings.get(d.handler)
            if ring is None or now - ring.at >= (ring.stuck_s if ring.head == d.head else ring.moving_s):
                ready.append(d)
            elif ring.head != d.head:
                self.poll_in = max(self.poll_in, POLL_HELD_S)
            if ring and ring.moving_s == RING_INTERVAL_CROWDED_S:
                self.poll_in = POLL_CROWDED_S
        return ready

    def rang(self, due: DueHandler, *, now: float) -> None:
        """Record a bell. The interval doubles while the head stays; otherwise it depends on how fast ids grow."""
        ring = self._rings.get(due.handler)
        if ring is None:
            stuck, moving = RING_INTERVAL_S, RING_INTERVAL_S
        elif ring.head == due.head:
            stuck, moving = min(ring.stuck_s * 2, MAX_RING_INTERVAL_S), RING_INTERVAL_S
        else:
            crowded = _moved(ring.head, due.head) > CROWDED_PER_S * (now - ring.at)
            stuck, moving = RING_INTERVAL_S, RING_INTERVAL_CROWDED_S if crowded else RING_INTERVAL_S
        self._rings[due.handler] = Ring(due.head, now, stuck, moving)


def _moved(before: Head, after: Head) -> int:
    """How far the first delivery's id moved, including ids of other handlers; 0 if either head has none."""
    return 0 if before[0] is None or after[0] is None else after[0] - before[0]
