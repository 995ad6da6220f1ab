"""Finds the handlers that have something due, with one query."""

import time
from collections.abc import Collection
from typing import NamedTuple

from ..backends import HandlerHead, backend
from ..watermarks import MAX_SCAN_BACKOFF_S, Watermark, below

#: The ids of a handler's first due delivery without attempts, and of its first due retry.
Head = tuple[int | None, int | None]


class DueHandler(NamedTuple):
    """A handler with something due."""

    handler: str
    queue: str
    head: Head


class DueScan:
    """Scans again and again, each time from the watermarks of the scan before.

    Threads may share one: a watermark that one of them sets is right for all.
    """

    def __init__(self, *, max_backoff_s: float = MAX_SCAN_BACKOFF_S) -> None:
        """Begin with a full scan.

        Args:
            max_backoff_s: how long a slow full scan is not repeated, at most.
        """
        #: Only decides how often a full scan may run.
        self._pace = Watermark(max_backoff_s=max_backoff_s)
        self._watermarks: dict[str, dict[str, float]] = {}

    def heads(self) -> list[HandlerHead]:
        """The first due deliveries of each handler that may work."""
        began, since = time.monotonic(), self._pace.begin()
        watermarks = [{"handler": handler, **marks} for handler, marks in self._watermarks.items()] if since else []
        heads = backend().handler_heads(watermarks)
        for head in heads:
            # Nothing is due before the first due delivery, or before now where nothing is due.
            self._watermarks[head.handler] = {
                "fresh": below(head.fresh_due or head.now),
                "retry": below(head.retry_due or head.now),
            }
        seconds = time.monotonic() - began
        self._pace.end(since=since, clear_until=heads[0].now if heads else None, seconds=seconds)
        return heads

    def due(self) -> list[DueHandler]:
        """The handlers with something due."""
        return [
            DueHandler(head.handler, head.queue, (head.fresh_id, head.retry_id))
            for head in self.heads()
            if head.fresh_id is not None or head.retry_id is not None
        ]


def due_handlers(*, among: Collection[str] | None = None) -> list[DueHandler]:
    """The handlers with something due, by a full scan.

    Args:
        among: only these handlers.
    """
    return [due for due in DueScan().due() if among is None or due.handler in among]
