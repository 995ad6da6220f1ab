"""Replay: old events are owed again, also to a new handler."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from project.bus import publish
from project.bus.backends import backend
from project.bus.models import AuditEntry, Delivery, Event, Receipt, Subscription
from project.bus.operator import replay
from project.bus.operator.replay import ReplayQuery
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged, Ponged
from tests.bus.helpers import bus, bus_refuses, last_audit_entry, make_due


@pytest.fixture
def handled(subscribed):
    """Twenty pings and ten pongs are handled. The list has the numbers of those handled again."""
    seen: list[int] = []

    def see(event):
        seen.append(event.number)

    handler = subscribed(see, Pinged, Ponged)
    publish(*(Pinged(number=number) for number in range(20)), *(Ponged(number=number) for number in range(10)))
    answer_bell(handler)
    assert len(seen) == 30
    seen.clear()
    return handler, seen


def answer(handler) -> None:
    make_due()
    answer_bell(handler)


def test_replay_of_a_type_keeps_the_order(handled):
    handler, seen = handled
    assert "20 deliveries of 20 events are due now; 0 were still owed" in bus("replay", "--type", "tests.pinged")
    assert last_audit_entry() == (
        "ann",
        "replay",
        {"type": "tests.pinged"},
        {"events": 20, "deliveries": 20, "still_owed": 0},
    )
    answer(handler)
    assert seen == list(range(20))
    assert Receipt.objects.count() == 50


def test_a_new_handler_receives_old_events(handled, subscribed):
    late: list[int] = []
    newcomer = subscribed(lambda event: late.append(event.number), Pinged)
    bus("replay", "--handler", newcomer.name)
    answer(newcomer)
    assert late == list(range(20))
    assert not handled[1]


def test_an_event_is_not_owed_twice(handled):
    bus("replay", "--type", "tests.pinged")
    assert "0 deliveries of 20 events are due now; 20 were still owed" in bus("replay", "--type", "tests.pinged")
    assert Delivery.objects.count() == 20


def test_replay_chooses_by_subject_and_by_time(handled):
    assert "2 deliveries of 2 events" in bus("replay", "--subject", "3")
    Event.objects.filter(type="tests.ponged").update(time=Now() - timedelta(days=9))
    week_ago = (Event.objects.latest("time").time - timedelta(days=7)).isoformat()
    assert "9 deliveries of 10 events" in bus("replay", "--until", week_ago)
    assert "19 deliveries of 20 events" in bus("replay", "--since", week_ago)


def test_a_dry_run_only_counts(handled):
    assert bus("replay", "--handler", "bus.see", "--dry-run") == "30 events would be owed to bus.see.\n"
    assert bus("replay", "--all", "--dry-run").startswith("30 events would be owed to bus.see, ")
    assert not Delivery.objects.exists()


def replay_steps(query: ReplayQuery, *, after_each: Callable[[], object] = lambda: None) -> list[int]:
    """Replay, and return how many events were done after each transaction, of which there may be ten."""
    steps: list[int] = []

    def progress(done: replay.Replayed) -> None:
        steps.append(done.events)
        assert len(steps) < 10, "the replay has no end"
        after_each()

    done = replay.replay(query=query, actor="ann", progress=progress)
    assert done.events == steps[-1]
    return steps


def test_a_long_replay_goes_in_chunks_and_reports_progress(handled, monkeypatch):
    monkeypatch.setattr(replay, "EVENTS_PER_TRANSACTION", 8)
    assert replay_steps(ReplayQuery(type="tests.pinged")) == [8, 16, 20]
    assert Delivery.objects.count() == 20


def test_a_replay_ends_although_events_are_still_published(handled, monkeypatch):
    monkeypatch.setattr(replay, "EVENTS_PER_TRANSACTION", 10)
    steps = replay_steps(ReplayQuery(type="tests.pinged"), after_each=lambda: publish(Pinged(number=100)))
    assert steps == [10, 20]


def test_a_replay_without_events_owes_nothing(subscribed):
    handler = subscribed(lambda event: None, Pinged)
    assert "0 deliveries of 0 events are due now" in bus("replay", "--handler", handler.name)
    assert not Delivery.objects.exists()


def test_a_replay_that_fails_before_it_owed_anything_is_not_in_the_audit(handled, monkeypatch):
    def fail(self, pairs):
        raise OperationalError("the disk is full")

    monkeypatch.setattr(type(backend()), "insert_deliveries", fail)
    with pytest.raises(OperationalError):
        replay.replay(query=ReplayQuery(type="tests.pinged"), actor="ann")
    assert not AuditEntry.objects.exists()


def test_a_replay_skips_types_that_become_subscribed_meanwhile(handled, subscribed, monkeypatch):
    monkeypatch.setattr(replay, "EVENTS_PER_TRANSACTION", 10)
    Subscription.objects.filter(event_type="tests.ponged").update(active=False)
    steps = replay_steps(ReplayQuery(), after_each=lambda: Subscription.objects.update(active=True))
    assert steps == [10, 20]


def test_replay_needs_a_choice_a_confirmation_and_a_subscriber(handled):
    bus_refuses("replay", "--yes", match="Say which events")
    bus_refuses("replay", "--all", match="Add --yes")
    bus_refuses("replay", "--since", "yesterday", "--yes", match="is not a time")
    assert "Subscribed: bus.see to tests.pinged" in bus_refuses(
        "replay", "--type", "tests.pinged", "--handler", "bus.other", "--yes", match="not subscribed"
    )
    assert "orders.keep_catalogue to inventory.product_changed" in bus_refuses(
        "replay", "--type", "inventory.nothing", "--yes", match="No handler is subscribed"
    )
    assert not Delivery.objects.exists()
