"""The relay with fault points around each bell: python -m tests.faults.relay.

While the directory FAULT_DIR has a file `many`, each bell is rung as often as that says, and noted in the file `bells`.
"""

import os
from contextlib import suppress
from pathlib import Path

from django.core.management import execute_from_command_line

from project.bus.queues import Bells
from tests.faults.armed import reached, say_time

_ring = Bells.ring


def ring(self: Bells, handler: str, *, queue: str) -> None:
    """Ring; a test may have this process fall before the bell is sent or after it, or send more than one."""
    reached("ringing", handler=handler)
    _ring(self, handler, queue=queue)
    directory = Path(os.environ["FAULT_DIR"])
    times = 0
    with suppress(FileNotFoundError):
        times = int((directory / "many").read_text())
    if times:
        for _ in range(times - 1):
            _ring(self, handler, queue=queue)
        with (directory / "bells").open("a") as rung:
            rung.write(f"{handler}\n" * times)
    reached("rung", handler=handler)


if __name__ == "__main__":
    say_time()
    Bells.ring = ring  # type: ignore[method-assign]
    execute_from_command_line(["manage.py", "relay"])
