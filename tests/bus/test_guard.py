"""The guard of a worker's main process, without a worker."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from project.bus.backends import backend
from project.bus.errors import MessageRefused
from project.bus.guard.celery_worker import StopBetweenBells
from project.bus.guard.guard import UNREADABLE, Refusals, bell_task
from project.bus.models import RefusedMessage


def test_what_is_refused_while_the_database_is_away_is_counted_later_and_at_the_latest_at_the_end(
    db, monkeypatch, caplog
):
    def fail(self, rows):
        raise OperationalError("the database is away")

    refusals = Refusals()
    for _ in range(2):
        refusals.add(queue="orders", reason="not JSON", sample="a sample")
    with monkeypatch.context() as away:
        away.setattr(type(backend()), "count_refused", fail)
        refusals.flush()
    assert "2 refused messages are not written yet: OperationalError" in caplog.messages
    refusals.flush()
    assert not RefusedMessage.objects.exists(), "the next try is not at once"
    refusals.flush(last=True)
    refusals.flush(last=True)
    assert list(RefusedMessage.objects.values_list("queue", "reason", "count")) == [("orders", "not JSON", 2)]


def test_a_message_whose_properties_cannot_be_read_is_no_bell():
    with pytest.raises(MessageRefused, match="properties that cannot be read"):
        bell_task({"task": "bus.ping"}, b"", content_type=UNREADABLE, content_encoding="utf-8")


@pytest.fixture
def asked() -> Iterator[list[int]]:
    """The signals by which this process was asked to stop."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)}
    for number in before:
        signal.signal(number, lambda number, _: asked.append(number))
    yield asked
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def worker() -> Any:
    """A worker's consumer with a hub, which knows whom to wake and what to do at each turn."""
    readers: dict[int, Any] = {}
    hub = SimpleNamespace(
        readers=readers,
        on_tick=set(),
        add_reader=lambda descriptor, *call: readers.update({descriptor: call}),
        remove_reader=readers.pop,
    )
    return SimpleNamespace(hub=hub)


def turn(worker: Any) -> None:
    for function in list(worker.hub.on_tick):
        function()


def test_a_worker_that_is_asked_to_stop_again_and_again_stops_once_and_between_two_bells(asked, worker):
    step = StopBetweenBells(worker)
    step.start(worker)
    for _ in range(3):
        signal.raise_signal(signal.SIGTERM)
    assert asked == [], "a bell may be half handed over now"
    ((waked, *_),) = worker.hub.readers.items()
    assert os.read(waked, 10) == b".", "one byte ends the wait"
    turn(worker)
    turn(worker)
    assert asked == [signal.SIGTERM]
    step.stop(worker)
    assert not worker.hub.readers
    signal.raise_signal(signal.SIGQUIT)
    assert asked == [signal.SIGTERM, signal.SIGQUIT], "signals have their old handlers"


def test_a_signal_before_the_connection_is_lost_still_stops_the_worker(asked, worker):
    step = StopBetweenBells(worker)
    step.start(worker)
    signal.raise_signal(signal.SIGQUIT)
    step.stop(worker)
    assert asked == [signal.SIGQUIT]


@pytest.mark.parametrize("started", [True, False])
def test_a_worker_without_children_or_a_connection_keeps_its_handlers(asked, started):
    parent = SimpleNamespace(hub=None)
    step = StopBetweenBells(parent)
    if started:
        step.start(parent)
    signal.raise_signal(signal.SIGTERM)
    assert asked == [signal.SIGTERM]
    step.stop(parent)
    assert asked == [signal.SIGTERM]
