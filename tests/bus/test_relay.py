"""The relay: which handlers it rings, how often it polls, and which failures it survives."""

import io
import signal
import sys
import threading
from datetime import timedelta
from itertools import pairwise
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_app
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from project.bus import publish
from project.bus.models import Delivery, Subscription
from project.bus.relay import relay
from project.bus.relay.broker import Doorbell
from project.bus.relay.relay import IDLE_AFTER_S, POLL_IDLE_S, POLL_SCHEDULED_S, POLL_SQLITE_S, RECONNECT_S, Relay
from project.bus.relay.scan import DueHandler, due_handlers
from project.bus.relay.scheduler import POLL_BUSY_S
from tests.bus.events import Pinged, Ponged
from tests.system import eventually


def ping(event): ...
def pong(event): ...


@pytest.fixture
def broker(system, monkeypatch):
    """An empty Redis that the Celery app uses."""
    monkeypatch.setattr(current_app.conf, "broker_url", system.environment["BROKER_URL"])
    return system.redis()


def poll_once(app: Celery) -> list[DueHandler]:
    """Poll as a relay that has just started."""
    relay = Relay(app)
    try:
        return relay.poll()
    finally:
        relay._doorbell.close()


def test_one_query_finds_the_handlers_with_something_due(subscribed):
    subscribed(ping, Pinged)
    subscribed(pong, Ponged)
    publish(*(Pinged(number=number) for number in range(3)))
    publish(Ponged(number=1), delay=timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        due = due_handlers()
    assert len(queries) == 1
    assert due == [DueHandler("bus.ping", "bus", (Delivery.objects.filter(handler="bus.ping").earliest("id").pk, None))]
    Delivery.objects.filter(handler="bus.pong").update(due_at=Now() - timedelta(seconds=1), attempts=2)
    assert {d.handler: d.head[1] for d in due_handlers()} == {
        "bus.ping": None,
        "bus.pong": Delivery.objects.get(handler="bus.pong").pk,
    }


def test_a_queue_never_holds_more_bells_than_it_has_due_handlers(broker, subscribed):
    subscribed(ping, Pinged)
    subscribed(pong, Ponged)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(1000)), Ponged(number=1))
    bells = Doorbell(current_app)
    for _ in range(10):
        assert poll_once(current_app), "many relays, each of which rings for the first time"
    assert bells.waiting("bus") == 2
    assert broker.llen("bus") == 2
    bells.close()


def test_an_unavailable_queue_does_not_stop_bells_in_other_queues(broker, subscribed, caplog):
    subscribed(ping, Pinged)
    Subscription.objects.filter(handler="bus.ping").update(queue="other")
    subscribed(pong, Ponged)
    with transaction.atomic():
        publish(Pinged(number=1), Ponged(number=1))
    broker.set("other", "no list")
    started = Relay(current_app)
    for _ in range(3):
        started.poll()
    assert broker.llen("bus") == 1
    assert caplog.text.count("the queue other cannot be rung") == 1
    broker.delete("other")
    eventually(lambda: started.poll() and broker.llen("other") == 1, within=10, what="it is rung again")
    started._doorbell.close()


def test_bells_lost_by_the_broker_are_rung_again(broker, subscribed):
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    stop = threading.Event()
    rings = threading.Thread(target=run_and_close, args=[stop])
    rings.start()
    try:
        for _ in range(3):
            eventually(lambda: broker.llen("bus") == 1, within=10, what="a bell")
            broker.flushall()
    finally:
        stop.set()
        rings.join()


def test_a_relay_polls_less_often_once_what_is_due_stays_the_same(broker, subscribed, monkeypatch):
    """Also while something is due: waiting for an absent worker must not use a tenth of a processor."""
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    polls: list[float] = []
    clock, due = SimpleNamespace(now=100.0), due_handlers()
    monkeypatch.setattr(relay, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def poll(_: Relay) -> list[DueHandler]:
        polls.append(clock.now)
        return due

    monkeypatch.setattr(Relay, "poll", poll)

    def wait(seconds: float) -> bool:
        clock.now += seconds
        return clock.now > 100 + 2 * IDLE_AFTER_S

    Relay(current_app).run(wait=wait)
    intervals = [later - earlier for earlier, later in pairwise(polls)]
    busy, idle = (POLL_SQLITE_S, POLL_SCHEDULED_S) if connection.vendor == "sqlite" else (POLL_BUSY_S, POLL_IDLE_S)
    assert intervals[0] == pytest.approx(busy)
    assert intervals[-1] == pytest.approx(idle, abs=POLL_SQLITE_S)


def run_and_close(stop: threading.Event) -> None:
    Relay(current_app).run(wait=stop.wait)
    connection.close()


def test_a_signal_stops_the_relay_at_any_moment(db, monkeypatch):
    """Also inside threading, whose locks a signal handler must not take."""
    moments = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal moments
        if frame.f_code.co_filename not in (relay.__file__, threading.__file__):
            return None
        moments += event == "line"
        if moments == chosen:
            signal.raise_signal(signal.SIGTERM)
        return trace

    def poll(_: Relay) -> list[DueHandler]:
        sys.settrace(trace)
        return []

    monkeypatch.setattr(Relay, "poll", poll)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    tracer = sys.gettrace()  # that of coverage
    try:
        for chosen in range(1, 60):
            moments = 0
            call_command("bus", "relay", stdout=io.StringIO())
            assert moments >= chosen
    finally:
        sys.settrace(tracer)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_tick_returns_the_seconds_until_the_next_one(db, monkeypatch):
    failure: Exception | None = None
    started, clock = Relay(current_app), SimpleNamespace(now=100.0)
    monkeypatch.setattr(relay, "time", SimpleNamespace(monotonic=lambda: clock.now))
    due = [DueHandler("bus.ping", "bus", (1, None))]

    def poll(_: Relay) -> list[DueHandler]:
        if failure:
            raise failure
        return due

    monkeypatch.setattr(Relay, "poll", poll)
    sqlite = connection.vendor == "sqlite"
    assert started.tick() == (POLL_SQLITE_S if sqlite else POLL_BUSY_S), "what is due has just changed"
    started._scheduler.poll_in = 0.02
    assert started.tick() == 0.02, "the scheduler decides while there is work"
    clock.now += IDLE_AFTER_S + POLL_SCHEDULED_S
    started._scheduler.poll_in = POLL_BUSY_S
    assert started.tick() == (POLL_SQLITE_S if sqlite else POLL_IDLE_S), "what is due stays the same"
    clock.now += POLL_SCHEDULED_S + 1
    failure = OperationalError("the database is away")
    monkeypatch.setattr(connection, "close", lambda: None)
    assert started.tick() == RECONNECT_S
    clock.now += 1
    failure = ConnectionError("the broker is away")
    assert started.tick() == RECONNECT_S
    clock.now += 1
    failure = None
    due = []
    assert started._failing == "broker"
    assert started.tick() == RECONNECT_S, "nothing was due, so the broker was not asked"
    clock.now += 1
    due = [DueHandler("bus.ping", "bus", (2, None))]
    assert started.tick() != RECONNECT_S
