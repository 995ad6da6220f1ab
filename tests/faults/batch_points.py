"""Faults inside a batch, for workers that a test starts with `celery ... worker -I tests.faults.batch_points`.

FAULT_BATCH sets how many deliveries are claimed at once.
FAULT_KILL_IN_RESERVE names a file. The first process between its stock update and its COMMIT writes into it what it
sees from inside its transaction, and kills itself.
FAULT_TERM_IN_HANDING names a file. The worker's main process writes it after it has sent a part of its first bell to a
pool process, and sends SIGTERM to itself at that moment.
FAULT_MENDED names a file. Once it exists, `poisoned` no longer fails.
"""

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import billiard.connection
from django.db import connection

from inventory import operations
from inventory.models import Stock
from project.bus import subscribe
from project.bus.worker import consumer
from project.events import OrderPlaced
from tests.bus.events import Pinged

_reserve_stock = operations.reserve_stock


def reserve_stock_and_maybe_die(*, orders: Sequence[OrderPlaced]) -> None:
    _reserve_stock(orders=orders)
    evidence = Path(os.environ["FAULT_KILL_IN_RESERVE"])
    if not evidence.exists():
        seen = {
            "reserved": sum(Stock.objects.values_list("reserved", flat=True)),
            "in_transaction": connection.in_atomic_block,
            "pid": os.getpid(),
        }
        evidence.write_text(json.dumps(seen))
        os.kill(os.getpid(), signal.SIGKILL)


_send_offset = billiard.connection.send_offset  # type: ignore[attr-defined]  # the stubs lack it
#: The header tells a pool process how many bytes follow.
HEADER_BYTES = 4


def send_offset_then_sigterm(*arguments: Any) -> int:
    evidence = Path(os.environ["FAULT_TERM_IN_HANDING"])
    if len(arguments[1]) > HEADER_BYTES and not evidence.exists():
        evidence.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGTERM)
    return int(_send_offset(*arguments))


if "FAULT_TERM_IN_HANDING" in os.environ:
    billiard.connection.send_offset = send_offset_then_sigterm  # type: ignore[attr-defined]
consumer.BATCH_SIZE = int(os.environ.get("FAULT_BATCH", consumer.BATCH_SIZE))
if "FAULT_KILL_IN_RESERVE" in os.environ:
    operations.reserve_stock = reserve_stock_and_maybe_die


@subscribe(Pinged, batch=True, attempts=3)
def raise_on_42(events: Sequence[Pinged]) -> None:
    """Fails for one event."""
    if any(event.number == 42 for event in events):
        raise ValueError("42 cannot be handled")


@subscribe(Pinged, batch=True, attempts=2)
def die_on_42(events: Sequence[Pinged]) -> None:
    """Kills its process for one event."""
    if any(event.number == 42 for event in events):
        os.kill(os.getpid(), signal.SIGKILL)


#: Events for which `poisoned` raises, and those for which it kills its process.
RAISING, KILLING = (150, 151, 700), (400, 999)


@subscribe(Pinged, batch=True, attempts=3)
def poisoned(events: Sequence[Pinged]) -> None:
    """Fails for a few events, in both ways, until it is mended."""
    if Path(os.environ["FAULT_MENDED"]).exists():
        return
    for event in events:
        if event.number in KILLING:
            os.kill(os.getpid(), signal.SIGKILL)
        if event.number in RAISING:
            raise ValueError(f"{event.number} cannot be handled")
