"""Low-water marks: where a scan of what is due begins.

While somebody holds an old snapshot (a long report, a back-up), PostgreSQL keeps all entries of an index, the dead ones
too, and a scan from the beginning steps over every delivery handled since: 19 ms for 200,000 of them. So whoever scans
remembers until when it found nothing and begins there. A delivery may still appear before the mark, as its transaction
began earlier and committed later, or as a claim of it was undone: so a scan is a full one whenever that is cheap, and
else every twenty times its length, 5 s at most. Whoever loses the database's connection forgets its marks.
"""

import time
from dataclasses import dataclass

#: Seconds between a mark and what was found: most transactions that are open at the time commit within these.
SLACK = 1.0
#: Seconds that a full scan may take without being followed by others from the mark.
SLOW = 0.01
#: For how many times its own length a slow full scan is not repeated, and the most seconds that makes: what looks like
#: a scan of a minute was a process that stood still.
SPARED = 20.0
LONGEST = 5.0


def behind(clear_until: float) -> float:
    """The mark for a scan that found nothing due before a time."""
    return max(0.0, clear_until - SLACK)


@dataclass(slots=True)
class Mark:
    """Where one kind of scan begins, in seconds of the database's clock since 1970."""

    since: float = 0.0
    #: When the next full scan may be, by this process's clock.
    full_at: float = 0.0
    #: The most seconds for which a slow full scan is not repeated.
    longest: float = LONGEST

    def begin(self) -> float:
        """From which due time on to scan now; 0: all."""
        return self.since if time.monotonic() < self.full_at else 0.0

    def end(self, *, since: float, clear_until: float | None, seconds: float) -> None:
        """Note what a scan found.

        Args:
            since: what `begin` said.
            clear_until: the due time before which nothing is due; None: nothing was learnt.
            seconds: how long it took.
        """
        if clear_until is not None:
            self.since = behind(clear_until)
        if not since:
            self.full_at = time.monotonic() + min(SPARED * seconds, self.longest) if seconds > SLOW else 0.0
