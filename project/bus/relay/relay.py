"""The relay polls the database for due deliveries and rings their handlers. It holds no state worth keeping.

It needs only a cheap query and the broker's queue lengths, so any number of relays may run side by side. It polls
because NOTIFY takes a database-wide lock during the flush of each commit (2,520 instead of 3,420 transactions a second,
measured), and because a poll finds again whatever the broker loses.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

from celery import Celery
from django.db import DatabaseError, InterfaceError

from ..backends import backend, bus_connection
from ..errors import QueueUnavailable
from .broker import Doorbell
from .scan import DueHandler, DueScan
from .scheduler import RingScheduler

logger = logging.getLogger(__name__)

#: Seconds between two polls once what is due has not changed for IDLE_AFTER_S: nothing arrives, or nobody works.
POLL_IDLE_S = 0.03
IDLE_AFTER_S = 1.0
#: SQLite: seconds between two questions whether another process has committed.
POLL_SQLITE_S = 0.005
#: SQLite: seconds after which a poll runs although nobody committed, for deliveries that time alone makes due.
POLL_SCHEDULED_S = 0.25
#: Seconds until a broker or a database that failed is tried again.
RECONNECT_S = 0.5


class Relay:
    """Rings for one bus on one broker.

    Example::

        Relay(app).run(wait=stop_requested.wait)
    """

    def __init__(self, app: Celery) -> None:
        self._scheduler, self._doorbell, self._scan = RingScheduler(), Doorbell(app), DueScan()
        #: What fails, "database" or "broker", so that it is logged once.
        self._failing = ""
        self._due: list[DueHandler] = []
        self._seen_commit: int | None = None
        self._polled_at = 0.0
        self._idle_from = 0.0

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Tick until told to stop, through failures of the broker and the database.

        Args:
            wait: waits for this many seconds, or until it is time to stop, and returns whether it is.
        """
        while not wait(self.tick()):
            pass
        self._doorbell.close()

    def tick(self) -> float:
        """Poll once if a poll is due, and return the seconds until the next tick."""
        try:
            commit, now = backend().commit_counter(), time.monotonic()
            changed = commit is None or commit != self._seen_commit
            if changed or now < self._idle_from or now - self._polled_at > POLL_SCHEDULED_S:
                self._seen_commit, self._polled_at, before = commit, now, self._due
                self._due = self.poll()
                if self._due != before:
                    self._idle_from = now + IDLE_AFTER_S
            if self._failing == "database" or (self._failing and self._due):
                logger.warning("the %s is back", self._failing)
                self._failing = ""
        except (DatabaseError, InterfaceError) as error:
            self._report("database", error)
            bus_connection().close()
            self._scan = DueScan()  # a crash of the database may have undone claims
        except self._doorbell.errors as error:
            self._report("broker", error)
            self._doorbell.close()
        if self._failing:
            return RECONNECT_S
        if commit is not None:
            return max(POLL_SQLITE_S, self._scheduler.poll_in)
        return POLL_IDLE_S if now >= self._idle_from else self._scheduler.poll_in

    def poll(self) -> list[DueHandler]:
        """Ring each handler that has something due and whose time has come. Return all that have something due."""
        due = self._scan.due()
        waiting: dict[str, int] = {}
        handlers_in_queue = Counter(d.queue for d in due)
        for d in self._scheduler.ready(due, now=time.monotonic()):
            if d.queue not in waiting:
                try:
                    waiting[d.queue] = self._doorbell.waiting(d.queue)
                except QueueUnavailable:  # the doorbell has logged it
                    waiting[d.queue] = handlers_in_queue[d.queue]
                    self._scheduler.rang(d, now=time.monotonic())  # ask again after a growing interval
            # A queue never holds more bells than it has due handlers, so a stopped worker or a long batch cannot
            # cause a flood.
            if waiting[d.queue] < handlers_in_queue[d.queue]:
                self._doorbell.ring(d.handler, queue=d.queue)
                waiting[d.queue] += 1
                self._scheduler.rang(d, now=time.monotonic())
        return due

    def _report(self, what: str, error: BaseException) -> None:
        if self._failing != what:
            logger.warning("the %s does not answer (%s: %s); trying until it does", what, type(error).__name__, error)
        self._failing = what
