"""The relay: whom it rings, how often, and what it survives."""

import io
import signal
import sys
import threading
from datetime import timedelta
from itertools import pairwise
from types import FrameType, SimpleNamespace

import pytest
from celery import Celery, current_app
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from kombu import Queue

from project.bus import relay
from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Subscription
from project.bus.outbox import publish
from project.bus.queues import Bells
from project.bus.relay import (
    CALM,
    CROWD,
    GAP,
    GAP_CROWDED,
    LONGEST_GAP,
    LOOK_BUSY,
    LOOK_CROWDED,
    LOOK_HELD,
    LOOK_IDLE,
    LOOK_SQLITE,
    SCHEDULED,
    Due,
    Rhythm,
    due_handlers,
    look,
    run,
)
from tests.bus.events import Pinged, Ponged
from tests.system import eventually


def ping(event): ...
def pong(event): ...


@pytest.fixture
def broker(system, monkeypatch):
    """An empty Redis, and the app's way to it."""
    monkeypatch.setattr(current_app.conf, "broker_url", system.environment["BROKER_URL"])
    return system.redis()


def test_one_query_tells_which_handlers_have_something_due(subscribed):
    subscribed(ping, Pinged)
    subscribed(pong, Ponged)
    publish(*(Pinged(number=number) for number in range(3)))
    publish(Ponged(number=1), delay=timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        due = due_handlers()
    assert len(queries) == 1
    assert due == [Due("bus.ping", "bus", (Delivery.objects.filter(handler="bus.ping").earliest("id").pk, None))]
    Delivery.objects.filter(handler="bus.pong").update(due_at=Now() - timedelta(seconds=1), attempts=2)
    assert {d.handler: d.head[1] for d in due_handlers()} == {
        "bus.ping": None,
        "bus.pong": Delivery.objects.get(handler="bus.pong").pk,
    }


def test_the_gap_doubles_while_the_first_due_delivery_stays_and_is_short_again_once_it_moves():
    rhythm, now, rung = Rhythm(), 0.0, []
    stuck = Due("a", "q", (1, None))
    while now < 10:
        if rhythm.candidates([stuck], now=now):
            rhythm.rang(stuck, now=now)
            rung.append(now)
        now += 0.001
    gaps = [later - earlier for earlier, later in pairwise(rung)]
    assert gaps[0] < gaps[1] < gaps[2]
    assert max(gaps) <= LONGEST_GAP + 0.002
    assert gaps[-1] >= LONGEST_GAP - 0.002
    moved = Due("a", "q", (2, None))
    assert not rhythm.candidates([moved], now=rung[-1] + GAP / 2)
    assert rhythm.candidates([moved], now=rung[-1] + GAP * 1.01)


def test_a_rhythm_has_time_only_while_work_moves_on_faster_than_it_is_rung_for():
    rhythm = Rhythm()
    first, moved = Due("a.b", "a", (1, None)), Due("a.b", "a", (9, None))
    rhythm.rang(first, now=0.0)
    assert not rhythm.candidates([first], now=GAP / 2)
    assert rhythm.pause == LOOK_BUSY, "the same delivery still waits, and another handler's may come at any time"
    assert not rhythm.candidates([moved], now=GAP / 2)
    assert rhythm.pause == LOOK_HELD
    assert not rhythm.candidates([], now=GAP / 2)
    assert rhythm.pause == LOOK_BUSY


@pytest.mark.parametrize(
    ("a_second", "gap", "pause"), [(CROWD / 2, GAP, LOOK_HELD), (CROWD * 2, GAP_CROWDED, LOOK_CROWDED)]
)
def test_a_rhythm_lets_larger_batches_gather_while_deliveries_crowd_in(a_second, gap, pause):
    rhythm, now, rung, ids = Rhythm(), 100.0, [], 0.0
    while len(rung) < 10:
        ids += a_second / 1000
        due = Due("a.b", "a", (int(ids), None))
        if rhythm.candidates([due], now=now):
            rhythm.rang(due, now=now)
            rung.append(now)
        now += 0.001
    gaps = [later - earlier for earlier, later in pairwise(rung[1:])]
    assert gaps == pytest.approx([gap] * 8, abs=0.002)
    assert not rhythm.candidates([Due("a.b", "a", (int(ids) + 1, None))], now=now)
    assert rhythm.pause == pause


def test_a_queue_never_holds_more_bells_than_it_has_due_handlers(broker, subscribed):
    subscribed(ping, Pinged)
    subscribed(pong, Ponged)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(1000)), Ponged(number=1))
    bells = Bells(current_app)
    for _ in range(10):
        assert look(Rhythm(), bells), "many relays, each of which rings for the first time"
    assert bells.waiting("bus") == 2
    assert broker.llen("bus") == 2
    bells.close()


def test_a_queue_that_cannot_be_asked_keeps_nobody_else_from_being_rung(broker, subscribed, caplog):
    subscribed(ping, Pinged)
    Subscription.objects.filter(handler="bus.ping").update(queue="other")
    subscribed(pong, Ponged)
    with transaction.atomic():
        publish(Pinged(number=1), Ponged(number=1))
    broker.set("other", "no list")
    bells, rhythm = Bells(current_app), Rhythm()
    for _ in range(3):
        look(rhythm, bells)
    assert broker.llen("bus") == 1
    assert caplog.text.count("nobody can be rung by the queue other") == 1
    broker.delete("other")
    eventually(lambda: look(rhythm, bells) and broker.llen("other") == 1, within=10, what="it is rung again")
    bells.close()


def test_a_wiped_broker_is_rung_again(broker, subscribed):
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


def test_a_relay_looks_less_often_once_nothing_comes_and_nobody_works(broker, subscribed, monkeypatch):
    """Also while something is due: a worker that is away must not cost a processor's tenth."""
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    clock, looks, due = SimpleNamespace(now=100.0), [], due_handlers()
    monkeypatch.setattr(relay, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(relay, "look", lambda *_: looks.append(clock.now) or due)

    def wait(seconds: float) -> bool:
        clock.now += seconds
        return clock.now > 100 + 2 * CALM

    run(wait=wait)
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    busy, calm = (LOOK_SQLITE, SCHEDULED) if connection.vendor == "sqlite" else (LOOK_BUSY, LOOK_IDLE)
    assert gaps[0] == pytest.approx(busy)
    assert gaps[-1] == pytest.approx(calm, abs=LOOK_SQLITE)


def run_and_close(stop: threading.Event) -> None:
    run(wait=stop.wait)
    connection.close()


def test_a_signal_ends_the_relay_at_whatever_moment_it_comes(db, monkeypatch):
    """Also while it is inside of threading, whose locks its handler must not want."""
    moments = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal moments
        if frame.f_code.co_filename not in (relay.__file__, threading.__file__):
            return None
        moments += event == "line"
        if moments == chosen:
            signal.raise_signal(signal.SIGTERM)
        return trace

    def look(*_: object) -> bool:
        sys.settrace(trace)
        return True

    monkeypatch.setattr(relay, "look", look)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for chosen in range(1, 60):
            moments = 0
            call_command("relay", stdout=io.StringIO())
            assert moments >= chosen
    finally:
        sys.settrace(None)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_bell_carries_nothing(broker, subscribed):
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1234567))
    bells = Bells(current_app)
    look(Rhythm(), bells)
    (message,) = broker.lrange("bus", 0, -1)
    assert b"bus.ping" in message
    assert b"1234567" not in message
    bells.close()


def test_a_queue_that_does_not_exist_has_no_bells(broker):
    bells = Bells(current_app)
    assert [bells.waiting("nothing-here") for _ in range(3)] == [0, 0, 0]
    bells.close()


@pytest.mark.django_db(transaction=True)
def test_on_rabbitmq_bells_are_counted_and_taken_too(subscribed, rabbit):
    seen = []

    def hear(event):
        seen.append(event.number)

    handler = subscribed(hear, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    app = Celery("rabbit", broker=rabbit.direct_url, set_as_current=False)
    app.conf.task_queues = [Queue("bus", routing_key="bus")]
    bells = Bells(app)
    with app.connection_for_write() as connected:
        queue = Queue("bus", channel=connected.default_channel)
        queue.declare()
        assert bells.waiting("a-queue-that-is-missing") == 0
        assert bells.waiting("bus") == 0
        assert look(Rhythm(), bells)
        eventually(lambda: bells.waiting("bus") == 1, within=10, what="a bell waits")
        assert look(Rhythm(), bells), "it is still due"
        assert bells.waiting("bus") == 1, "no second bell for one due handler"
        message = eventually(queue.get, within=10, what="the bell")
        assert message.headers["task"] == handler.name
        message.ack()
    bells.close()
    answer_bell(handler)
    assert seen == [1]


def test_a_relay_outlives_a_rabbitmq_that_says_goodbye(rabbit):
    bells = Bells(Celery("rabbit", broker=rabbit.direct_url, set_as_current=False))
    assert bells.waiting("bus") == 0
    rabbit.say_goodbye()

    def noticed() -> bool:
        try:
            bells.waiting("bus")
        except bells.errors:
            return True
        return False

    eventually(noticed, within=10, what="the connection is closed")
    bells.close()
    assert bells.waiting("bus") == 0, "the next question connects anew"
    bells.close()
