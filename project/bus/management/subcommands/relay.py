"""manage.py bus relay"""

import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from celery import current_app

from ...relay.relay import Relay
from .. import base


class RunRelay(base.Subcommand):
    name = "relay"
    summary = "ring the workers of handlers that have deliveries due"
    help = """\
Ring the workers of every handler that has deliveries due, until stopped by Ctrl-C or SIGTERM.

Without a relay nothing is handled. It keeps no state: you may kill it and start it again at any time, and run several
side by side, so that one of them is always there. While the database or the broker is away, it says so and tries again.

example, with a worker in another shell:
  manage.py bus relay
  celery -A project worker -Q users,orders,inventory,external

exit codes:
  0  it was told to stop
  2  wrong arguments"""

    def handle(self, **_: Any) -> None:
        # Not a threading.Event: it is set under a lock that this very thread may hold when a signal interrupts it.
        signals: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: signals.put(number))

        def wait(seconds: float) -> bool:
            with suppress(Empty):
                return bool(signals.get(timeout=seconds))
            return False

        self.stdout.write("relay: ringing the workers of handlers that have deliveries due")
        Relay(current_app).run(wait=wait)
