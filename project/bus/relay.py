"""The relay: finds out which handlers have something due, and rings for them. It holds no state worth keeping.

It has only a cheap probe of the database and the broker's queue lengths, so any number may run side by side. Polling,
because NOTIFY takes a database-wide lock through the flush of each commit (2,520 instead of 3,420 transactions a
second, measured), and because a poll finds again whatever the broker loses.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import DatabaseError, InterfaceError, connection

from .marks import LONGEST, Mark, behind
from .queues import Bells, QueueFails
from .sql import as_json
from .sql import run as run_sql

logger = logging.getLogger(__name__)

#: Seconds between two looks: while there is work; while a bell is held back, as its handler was rung just now; while
#: deliveries crowd in; and while what is due has not changed for so long, be it that nothing comes or nobody works.
LOOK_BUSY = 0.002
LOOK_HELD = 0.01
LOOK_CROWDED = 0.02
LOOK_IDLE = 0.03
CALM = 1.0
#: SQLite: seconds between two questions whether somebody has committed, unless a bell is held back for longer.
LOOK_SQLITE = 0.005
#: Seconds between two bells for one handler whose work moves on: long enough for a batch to gather.
GAP = 0.02
#: The same while deliveries come at more than `CROWD` a second: large batches then count for more than an early start.
GAP_CROWDED = 0.1
CROWD = 3000
#: Seconds to which the gap doubles while a handler's first due delivery stays the same.
LONGEST_GAP = 1.0
#: Seconds to wait before trying a broker or a database again that failed.
PAUSE = 0.5
#: SQLite: seconds after which a look is due though nobody committed, for what has become due by time alone.
SCHEDULED = 0.25

# The first due delivery of each handler that neither pauses nor rests, by two index probes a handler; the two orders
# and conditions are those of the claims' partial indexes. On PostgreSQL each probe begins at its mark.
_HANDLERS = """(
        SELECT handler, MAX(queue) AS queue FROM bus_subscription
        GROUP BY handler HAVING MAX(CASE WHEN paused OR rests_until > {now} THEN 1 ELSE 0 END) = 0
    ) h"""
_PROBE_POSTGRESQL = f"""
    SELECT h.handler, h.queue, fresh.id, tried.id, extract(epoch FROM fresh.due_at)::float8,
        extract(epoch FROM tried.due_at)::float8, extract(epoch FROM now())::float8
    FROM {_HANDLERS.format(now="now()")}
    LEFT JOIN json_to_recordset(%s::json) AS mark (handler text, fresh float8, tried float8)
        ON mark.handler = h.handler
    LEFT JOIN LATERAL (
        SELECT d.id, d.due_at FROM bus_delivery d
        WHERE d.handler = h.handler AND d.attempts = 0 AND d.dead_at IS NULL AND d.due_at <= now()
            AND d.due_at >= to_timestamp(coalesce(mark.fresh, 0))
        ORDER BY d.due_at, d.id LIMIT 1
    ) fresh ON true
    LEFT JOIN LATERAL (
        SELECT d.id, d.due_at FROM bus_delivery d
        WHERE d.handler = h.handler AND d.attempts > 0 AND d.dead_at IS NULL AND d.due_at <= now()
            AND d.due_at >= to_timestamp(coalesce(mark.tried, 0))
        ORDER BY d.due_at, d.id LIMIT 1
    ) tried ON true
"""
_NOW_SQLITE = "strftime('%%Y-%%m-%%d %%H:%%M:%%f999', 'now')"
_PROBE_SQLITE = f"""
    SELECT h.handler, h.queue,
        (SELECT d.id FROM bus_delivery d
         WHERE d.handler = h.handler AND d.attempts = 0 AND d.dead_at IS NULL AND d.due_at <= {_NOW_SQLITE}
         ORDER BY d.due_at, d.id LIMIT 1),
        (SELECT d.id FROM bus_delivery d
         WHERE d.handler = h.handler AND d.attempts > 0 AND d.dead_at IS NULL AND d.due_at <= {_NOW_SQLITE}
         ORDER BY d.due_at, d.id LIMIT 1)
    FROM {_HANDLERS.format(now=_NOW_SQLITE)}
"""


#: A handler's first due delivery that is fresh, and the first that is tried.
Head = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Due:
    """A handler with something due."""

    handler: str
    queue: str
    head: Head


@dataclass(slots=True)
class _Rung:
    head: Head
    at: float
    #: Seconds until the next bell: while the head is the same, and once it has moved on.
    stuck: float
    moving: float


class Scan:
    """The marks of a relay's probes: one for how often a full scan may be, two for each handler.

    Threads may share one: a mark that one of them leaves is right for all.

    Args:
        longest: the most seconds for which a full scan that was slow is not repeated.
    """

    def __init__(self, *, longest: float = LONGEST) -> None:
        self._all = Mark(longest=longest)  # of which only the pace of full scans is used
        self._marks: dict[str, dict[str, float]] = {}

    def probe(self) -> list[tuple[Any, ...]]:
        """Of each handler its queue, and its first due delivery that is fresh, and the first that is tried."""
        if connection.vendor != "postgresql":
            return run_sql(_PROBE_SQLITE)
        began, since = time.monotonic(), self._all.begin()
        marks = [{"handler": handler, **mark} for handler, mark in self._marks.items()] if since else []
        rows = run_sql(_PROBE_POSTGRESQL, as_json(marks))
        found = []
        for handler, queue, fresh, tried, fresh_at, tried_at, now in rows:
            # Nothing is due before the first that is due, or before now where nothing is.
            clear = {"fresh": fresh_at or now, "tried": tried_at or now}
            self._marks[handler] = {kind: behind(until) for kind, until in clear.items()}
            found.append((handler, queue, fresh, tried))
        self._all.end(since=since, clear_until=rows[0][-1] if rows else None, seconds=time.monotonic() - began)
        return found


def due_handlers(scan: Scan | None = None) -> list[Due]:
    """Which handlers have something due, by one query.

    Args:
        scan: marks to begin at, for whoever asks all the time.
    """
    return [
        Due(handler, queue, (fresh, tried))
        for handler, queue, fresh, tried in (scan or Scan()).probe()
        if fresh is not None or tried is not None
    ]


class Rhythm:
    """Decides whom to ring, from what is due, what waits in the queues, and when it rang for whom before."""

    def __init__(self) -> None:
        self._rung: dict[str, _Rung] = {}
        #: Seconds until the next look. There is time where more comes than is rung for.
        self.pause = LOOK_BUSY

    def candidates(self, due: Iterable[Due], *, now: float) -> list[Due]:
        """Those whose time has come, the one that was rung longest ago first."""
        ready, self.pause = [], LOOK_BUSY
        for d in sorted(due, key=lambda d: self._rung[d.handler].at if d.handler in self._rung else 0.0):
            rung = self._rung.get(d.handler)
            if rung is None or now - rung.at >= (rung.stuck if rung.head == d.head else rung.moving):
                ready.append(d)
            elif rung.head != d.head:
                self.pause = max(self.pause, LOOK_HELD)
            if rung and rung.moving == GAP_CROWDED:
                self.pause = LOOK_CROWDED
        return ready

    def rang(self, due: Due, *, now: float) -> None:
        """Note a bell. The gap doubles while the head stays where it is; else it depends on how fast ids go up."""
        rung = self._rung.get(due.handler)
        if rung is None:
            stuck, moving = GAP, GAP
        elif rung.head == due.head:
            stuck, moving = min(rung.stuck * 2, LONGEST_GAP), GAP
        else:
            stuck, moving = GAP, GAP_CROWDED if _moved(rung.head, due.head) > CROWD * (now - rung.at) else GAP
        self._rung[due.handler] = _Rung(due.head, now, stuck, moving)


def _moved(before: Head, after: Head) -> int:
    """By how many ids the first fresh delivery moved on, those of other handlers among them; 0 where one is none."""
    return 0 if before[0] is None or after[0] is None else after[0] - before[0]


def look(rhythm: Rhythm, bells: Bells, scan: Scan | None = None) -> list[Due]:
    """Ring once for every handler that has something due and whose time has come; gives all that have something due."""
    due = due_handlers(scan)
    waiting: dict[str, int] = {}
    due_in_queue = Counter(d.queue for d in due)
    for d in rhythm.candidates(due, now=time.monotonic()):
        if d.queue not in waiting:
            try:
                waiting[d.queue] = bells.waiting(d.queue)
            except QueueFails:  # which says so itself
                waiting[d.queue] = due_in_queue[d.queue]
                rhythm.rang(d, now=time.monotonic())  # ask again later and later
        # So a stopped worker or a long batch causes no flood: a queue never holds more bells than it has due handlers.
        if waiting[d.queue] < due_in_queue[d.queue]:
            bells.ring(d.handler, queue=d.queue)
            waiting[d.queue] += 1
            rhythm.rang(d, now=time.monotonic())
    return due


def run(*, wait: Callable[[float], bool]) -> None:
    """Look and ring until told to stop, through failures of the broker and the database.

    Args:
        wait: waits for so many seconds, or until it is time to stop, and says whether it is.
    """
    rhythm, bells, scan = Rhythm(), Bells(current_app), Scan()
    failing = ""
    version: int | None = None
    due: list[Due] = []
    seen, looked_at, now, calm_from = version, 0.0, 0.0, 0.0
    while True:
        try:
            version, now = _data_version(), time.monotonic()
            if version is None or version != seen or now < calm_from or now - looked_at > SCHEDULED:
                seen, looked_at, before = version, now, due
                due = look(rhythm, bells, scan)
                calm_from = calm_from if due == before else now + CALM
            if failing == "database" or (failing and due):
                logger.warning("the %s is back", failing)
                failing = ""
        except (DatabaseError, InterfaceError) as error:
            failing = _say_once(failing, "database", error)
            connection.close()
            scan = Scan()  # a crash of the database may have undone claims
        except bells.errors as error:
            failing = _say_once(failing, "broker", error)
            bells.close()
        if failing:
            pause = PAUSE
        elif version is not None:
            pause = max(LOOK_SQLITE, rhythm.pause)
        elif now >= calm_from:
            pause = LOOK_IDLE
        else:
            pause = rhythm.pause
        if wait(pause):
            break
    bells.close()


def _data_version() -> int | None:
    """SQLite: a number that changes when another process commits (9 microseconds to ask); None elsewhere."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])


def _say_once(failing: str, what: str, error: BaseException) -> str:
    if failing != what:
        logger.warning("the %s does not answer (%s: %s); trying until it does", what, type(error).__name__, error)
    return what
