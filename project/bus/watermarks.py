"""Low watermarks: where a scan for due deliveries begins.

While an old snapshot is open (a long report, a backup), PostgreSQL keeps every index entry, dead ones included. A scan
from the beginning then steps over each delivery handled since: 19 ms for 200,000 of them. So each scanner remembers the
due time before which it found nothing, and begins there. A delivery can still appear before the watermark, because its
transaction began earlier and committed later, or because its claim was undone. So a scan is a full one whenever that is
cheap; after a slow one, full scans pause for 20 times its length, at most 5 s. A process that loses its database
connection forgets its watermarks.
"""

import time
from dataclasses import dataclass

#: Seconds between a watermark and the first due time found: most open transactions commit within them.
SLACK_S = 1.0
#: A full scan that takes longer than these seconds is slow.
SLOW_SCAN_S = 0.01
#: Full scans pause for this multiple of a slow scan's length, and at most for these seconds: a scan that seems to take
#: a minute was a process that stood still.
SCAN_BACKOFF_FACTOR = 20.0
MAX_SCAN_BACKOFF_S = 5.0


def below(clear_until: float) -> float:
    """The watermark after a scan that found nothing due before `clear_until`."""
    return max(0.0, clear_until - SLACK_S)


@dataclass(slots=True)
class Watermark:
    """Where one kind of scan begins, in seconds of the database's clock since 1970."""

    since: float = 0.0
    #: When the next full scan may run, by this process's monotonic clock.
    full_scan_at: float = 0.0
    max_backoff_s: float = MAX_SCAN_BACKOFF_S

    def begin(self) -> float:
        """The due time from which to scan now; 0 means all."""
        return self.since if time.monotonic() < self.full_scan_at else 0.0

    def end(self, *, since: float, clear_until: float | None, seconds: float) -> None:
        """Record what a scan found.

        Args:
            since: what `begin` returned.
            clear_until: nothing is due before this time; None if the scan did not find out.
            seconds: how long the scan took.
        """
        if clear_until is not None:
            self.since = below(clear_until)
        if not since:
            pause = min(SCAN_BACKOFF_FACTOR * seconds, self.max_backoff_s) if seconds > SLOW_SCAN_S else 0.0
            self.full_scan_at = time.monotonic() + pause if pause else 0.0
