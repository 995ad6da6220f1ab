"""The relay with fault points around each bell: python -m tests.faults.relay.

While the directory FAULT_DIR has a file `many`, each bell is sent as often as the file says, and noted in the file
`bells`.
"""

import os
from contextlib import suppress
from pathlib import Path

from django.core.management import execute_from_command_line

from project.bus.relay.broker import Doorbell
from project.console.harness import programs
from tests.faults.fault_points import reached, record_clock

_ring = Doorbell.ring


def ring(self: Doorbell, handler: str, *, queue: str) -> None:
    """Ring; a test may kill this process before or after the bell is sent, or have it send the bell many times."""
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
    record_clock()
    Doorbell.ring = ring  # type: ignore[method-assign]
    execute_from_command_line([*programs.RELAY])
