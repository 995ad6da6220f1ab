"""manage.py relay"""

import signal
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from ... import relay
from .. import base


class Command(base.Command):
    """Runs the relay."""

    help = """\
Ring the workers of every handler that has deliveries due, until stopped by Ctrl-C or SIGTERM.

Without it nothing is handled. It keeps no state: it may be killed and started again at any time, and several may run
side by side, so that one of them is always there. While the database or the broker is away, it says so and tries again.

example, with a worker in another shell:
  manage.py relay
  celery -A project worker -Q users,orders,inventory,external

exit codes:
  0  it was told to stop
  2  wrong arguments"""

    def handle(self, **_: Any) -> None:
        """Ring until a signal comes."""
        # Not a threading.Event: it is set under a lock that this very thread may hold when a signal interrupts it.
        signals: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: signals.put(number))

        def wait(seconds: float) -> bool:
            with suppress(Empty):
                return bool(signals.get(timeout=seconds))
            return False

        self.stdout.write("relay: ringing the workers of whatever is due")
        relay.run(wait=wait)
