"""The relay with fault points around each bell: python -m tests.faults.relay. FAULT_BELLS rings each so often."""

import os
from pathlib import Path

from django.core.management import execute_from_command_line

from project.bus import relay
from tests.faults.armed import reached, say_time

_ring = relay.Bells.ring


def ring(self: relay.Bells, due: relay.Due) -> None:
    """Ring; a test may have this process fall before the bell is sent or after it, or send more than one."""
    reached("ringing", handler=due.handler)
    _ring(self, due)
    if times := int(os.environ.get("FAULT_BELLS", "0")):
        for _ in range(times - 1):
            _ring(self, due)
        with (Path(os.environ["FAULT_DIR"]) / "bells").open("a") as rung:
            rung.write(f"{due.handler}\n" * times)
    reached("rung", handler=due.handler)


if __name__ == "__main__":
    say_time()
    relay.Bells.ring = ring  # type: ignore[method-assign]
    execute_from_command_line(["manage.py", "relay"])
