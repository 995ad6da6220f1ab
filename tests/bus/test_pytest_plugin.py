"""The pytest plugin: drain, published, and a clock. It also works where pytest loads it before Django is set up."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings

from project.bus import PermanentError, publish
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.pytest_plugin import in_process
from project.bus.relay.scan import due_handlers
from project.bus.worker.claims import claim_fresh, lease_seconds
from tests.bus.events import Pinged, Ponged

HOUR = timedelta(hours=1)


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def handler(subscribed, seen):
    return subscribed(lambda event: seen.append(event.number), Pinged)


def test_drain_handles_events_and_those_that_they_cause(subscribed, seen, drain, published):
    def answer(event):
        publish(Ponged(number=event.number))

    subscribed(answer, Pinged)
    subscribed(lambda event: seen.append(event.number), Ponged)
    publish(Pinged(number=1), Pinged(number=2))
    drain()
    assert seen == [1, 2]
    assert [event.number for event in published(Ponged)] == [1, 2]
    assert [type(event) for event in published()] == [Pinged, Pinged, Ponged, Ponged]
    assert not Delivery.objects.exists()


def test_drain_fails_with_what_is_owed_when_events_cause_each_other_without_end(subscribed, drain, monkeypatch):
    monkeypatch.setattr(in_process, "MAX_ROUNDS", 5)

    def again(event):
        publish(Pinged(number=event.number + 1))

    subscribed(again, Pinged)
    publish(Pinged(number=1))
    with pytest.raises(pytest.fail.Exception, match=r"After 5 rounds this is still owed: \{'bus.again': 1\}"):
        drain()


def test_drain_leaves_what_is_scheduled_until_the_clock_reaches_it(handler, seen, drain, bus_clock):
    publish(Pinged(number=1), delay=HOUR)
    publish(Pinged(number=2), delay=2 * HOUR)
    drain()
    assert seen == []
    bus_clock.advance(HOUR)
    drain()
    assert seen == [1]
    bus_clock.advance(HOUR)
    drain()
    assert seen == [1, 2]


def test_the_clock_makes_retries_due(subscribed, drain, bus_clock):
    attempts = []

    def fail_once(event):
        attempts.append(event.number)
        if len(attempts) == 1:
            raise ValueError("not yet")

    subscribed(fail_once, Pinged)
    publish(Pinged(number=1))
    drain()
    assert attempts == [1]
    bus_clock.advance(HOUR)
    drain()
    assert attempts == [1, 1]
    assert Receipt.objects.count() == 1


def test_the_clock_makes_leases_run_out(handler, seen, drain, bus_clock):
    publish(Pinged(number=1))
    assert len(claim_fresh(handler=handler, limit=1, durable=False)) == 1  # by a worker that falls silent
    lease = timedelta(seconds=lease_seconds(handler, attempts=1))
    bus_clock.advance(lease - timedelta(seconds=1))
    drain()
    assert seen == []
    bus_clock.advance(timedelta(seconds=1))
    drain()
    assert seen == [1]


def test_the_clock_half_opens_circuits(handler, seen, drain, bus_clock):
    publish(Pinged(number=1))
    bus_clock.advance(-HOUR)
    Subscription.objects.filter(handler=handler.name).update(failures=20, openings=1)
    Subscription.objects.filter(handler=handler.name).update(open_until=Delivery.objects.get().due_at)
    bus_clock.advance(timedelta(0))
    drain()
    assert seen == []
    bus_clock.advance(HOUR)
    drain()
    assert seen == [1]
    assert Subscription.objects.get(handler=handler.name).open_until is None


def test_the_clock_leaves_dead_letters_dead(subscribed, drain, bus_clock):
    def refuse(event):
        raise PermanentError("never")

    subscribed(refuse, Pinged)
    publish(Pinged(number=1))
    drain()
    due_at = Delivery.objects.get().due_at
    bus_clock.advance(HOUR)
    assert due_handlers() == []
    assert (Delivery.objects.get().due_at, Delivery.objects.get().dead_at is None) == (due_at, False)


#: Loaded by -p, as by an entry point: before pytest-django sets Django up.
TESTS_OF_A_PROJECT = """
from datetime import timedelta

import pytest
from project.bus import Event, publish, subscribe


class ItemSold(Event, name="shop.item_sold", subject="item"):
    item: str


reminded = []


@subscribe(ItemSold)
def remind(event):
    reminded.append(event.item)


@pytest.mark.django_db
def test_a_reminder_is_sent_after_a_day(drain, published, bus_clock):
    publish(ItemSold(item="hat"), delay=timedelta(days=1))
    drain()
    assert not reminded
    bus_clock.advance(timedelta(days=1))
    drain()
    assert reminded == ["hat"]
    assert [event.item for event in published(ItemSold)] == ["hat"]
"""


def test_the_plugin_can_be_loaded_before_django_is_set_up(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "test_shop.py").write_text(TESTS_OF_A_PROJECT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "project.bus.pytest_plugin", "-p", "no:cacheprovider", "shop"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(settings.BASE_DIR),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite3'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_drain_retries_singly_what_became_due_after_the_transaction_of_the_test_began(subscribed, seen, drain):
    """PostgreSQL's now() stands still in a test's transaction, and a failed batch is due by the statement's time."""

    def stumble(events):
        if len(events) > 1:
            raise ValueError("not together")
        seen.extend(event.number for event in events)

    subscribed(stumble, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(30)))
    drain()
    assert seen == list(range(30))
    assert not Delivery.objects.exists()
