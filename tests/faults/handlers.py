"""Handlers of the fault runner, which misbehave: celery ... worker -I tests.faults.handlers.

Their effect is a row in the table faults_effect, which accepts any number of rows for an event; tests/faults/verdict.py
counts them. The cluster makes the table and the subscriptions, because no app owns these handlers.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from project.bus import Event, subscribe
from tests.faults.event_types import EVENTS_TO_READ, Counted, Crashed, Dawdled, Raised

FAULT_DIRECTORY = Path(os.environ["FAULT_DIR"])


def _apply(events: Sequence[Event], *, handler: str) -> None:
    with connection.cursor() as cursor:
        rows = [(str(event.id), f"faults.{handler}", os.getpid(), _fields(event)) for event in events]
        cursor.executemany("INSERT INTO faults_effect (event_id, handler, pid, fields) VALUES (%s, %s, %s, %s)", rows)


def _fields(event: Event) -> str:
    return " ".join(f"{field}={getattr(event, field)}" for field in event.data_fields)


@subscribe(Counted, batch=True)
def count(events: Sequence[Counted]) -> None:
    _apply(events, handler="count")


@subscribe(*EVENTS_TO_READ, batch=True)
def read(events: Sequence[Event]) -> None:
    """Records the fields that it got, as its release decodes them."""
    _apply(events, handler="read")


@subscribe(Raised, batch=True, attempts=3)
def raise_on_poison(events: Sequence[Raised]) -> None:
    """Raises on poison, after its effect."""
    _apply(events, handler="raise_on_poison")
    if any(event.poison for event in events):
        raise RuntimeError("this handler always raises on this event")


@subscribe(Crashed, batch=True, attempts=2)
def die_on_poison(events: Sequence[Crashed]) -> None:
    """Kills its own process on poison, after its effect."""
    _apply(events, handler="die_on_poison")
    if any(event.poison for event in events):
        (FAULT_DIRECTORY / f"died.{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@subscribe(Dawdled, time_limit=1)
def dawdle(event: Dawdled) -> None:
    """Takes as long as the event says the first time, in spite of its time limit; later attempts are quick."""
    _apply([event], handler="dawdle")
    first = FAULT_DIRECTORY / f"dawdled.{event.number}"
    try:
        first.touch(exist_ok=False)
    except FileExistsError:
        return
    until = time.monotonic() + event.seconds
    while time.monotonic() < until:
        try:
            time.sleep(until - time.monotonic())
        except Exception:  # noqa: BLE001 - this handler ignores the exception of the soft time limit
            continue
