"""Handlers of the fault runner's own, which misbehave: celery ... worker -I tests.faults.handlers.

What they do to the database is a row in the table faults_effect, which takes any number for an event: tests/faults/
verdict.py counts them. The table and the subscriptions are made by the cluster, for no app is theirs.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from project.bus.consumer import subscribe
from project.bus.events import Event
from tests.faults.events import READ, Counted, Crashed, Dawdled, Raised

FAULTS = Path(os.environ["FAULT_DIR"])


def _apply(events: Sequence[Event], *, handler: str) -> None:
    with connection.cursor() as cursor:
        rows = [(str(event.id), f"faults.{handler}", os.getpid(), _told(event)) for event in events]
        cursor.executemany("INSERT INTO faults_effect (event_id, handler, pid, told) VALUES (%s, %s, %s, %s)", rows)


def _told(event: Event) -> str:
    return " ".join(f"{field}={getattr(event, field)}" for field in event.data_fields)


@subscribe(Counted, batch=True)
def count(events: Sequence[Counted]) -> None:
    """Does what it should."""
    _apply(events, handler="count")


@subscribe(*READ, batch=True)
def read(events: Sequence[Event]) -> None:
    """Writes down what it was told, as far as its release understands it."""
    _apply(events, handler="read")


@subscribe(Raised, batch=True, attempts=3)
def raise_on_poison(events: Sequence[Raised]) -> None:
    """Always raises on poison, after its effect."""
    _apply(events, handler="raise_on_poison")
    if any(event.poison for event in events):
        raise RuntimeError("this handler always raises on this event")


@subscribe(Crashed, batch=True, attempts=2)
def die_on_poison(events: Sequence[Crashed]) -> None:
    """Kills its own process on poison, after its effect."""
    _apply(events, handler="die_on_poison")
    if any(event.poison for event in events):
        (FAULTS / f"died.{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@subscribe(Dawdled, time_limit=1)
def dawdle(event: Dawdled) -> None:
    """Takes as long as the event says the first time, whatever tries to stop it, and no time after that."""
    _apply([event], handler="dawdle")
    first = FAULTS / f"dawdled.{event.number}"
    try:
        first.touch(exist_ok=False)
    except FileExistsError:
        return
    until = time.monotonic() + event.seconds
    while time.monotonic() < until:
        try:
            time.sleep(until - time.monotonic())
        except Exception:  # noqa: BLE001 - the soft time limit's exception, which such a handler does not heed
            continue
