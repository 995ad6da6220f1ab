"""Replay: old events are owed again, also to a handler that is new."""

from datetime import timedelta
from itertools import islice

import pytest
from django.db.models.functions import Now

from project.bus import replay
from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Event, Receipt, Subscription
from project.bus.outbox import publish
from tests.bus.events import Pinged, Ponged
from tests.bus.hands import by_hand, make_due, refused, written_down


@pytest.fixture
def handled(subscribed):
    """Twenty pings and ten pongs that one handler has handled, and what it has seen."""
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


def test_events_of_a_type_are_handled_again_in_their_order(handled):
    handler, seen = handled
    assert "20 deliveries of 20 events are due now; 0 were still owed" in by_hand("replay", "--type", "tests.pinged")
    assert written_down() == (
        "ann",
        "replay",
        {"type": "tests.pinged"},
        {"events": 20, "deliveries": 20, "still_owed": 0},
    )
    answer(handler)
    assert seen == list(range(20))
    assert Receipt.objects.count() == 50


def test_a_handler_that_did_not_exist_then_is_given_what_happened_before(handled, subscribed):
    late: list[int] = []
    newcomer = subscribed(lambda event: late.append(event.number), Pinged)
    by_hand("replay", "--handler", newcomer.name)
    answer(newcomer)
    assert late == list(range(20))
    assert not handled[1]


def test_what_is_still_owed_is_not_owed_twice(handled):
    by_hand("replay", "--type", "tests.pinged")
    assert "0 deliveries of 20 events are due now; 20 were still owed" in by_hand("replay", "--type", "tests.pinged")
    assert Delivery.objects.count() == 20


def test_events_are_chosen_by_subject_and_by_time(handled):
    assert "2 deliveries of 2 events" in by_hand("replay", "--subject", "3")
    Event.objects.filter(type="tests.ponged").update(time=Now() - timedelta(days=9))
    week_ago = (Event.objects.latest("time").time - timedelta(days=7)).isoformat()
    assert "9 deliveries of 10 events" in by_hand("replay", "--until", week_ago)
    assert "19 deliveries of 20 events" in by_hand("replay", "--since", week_ago)


def test_a_dry_run_counts_and_does_nothing(handled):
    assert by_hand("replay", "--handler", "bus.see", "--dry-run") == "30 events would be owed to bus.see.\n"
    assert by_hand("replay", "--all", "--dry-run").startswith("30 events would be owed to bus.see, ")
    assert not Delivery.objects.exists()


def test_a_long_replay_goes_in_chunks_and_says_how_far_it_is(handled, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK", 8)
    steps = list(replay.replay(replay.Selection(type="tests.pinged")))
    assert [step.events for step in steps] == [8, 16, 20]
    assert Delivery.objects.count() == 20


def test_a_replay_ends_although_events_go_on_being_published(handled, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK", 10)
    events = []
    for step in islice(replay.replay(replay.Selection(type="tests.pinged")), 10):
        events.append(step.events)
        publish(Pinged(number=100))
    assert events == [10, 20]


def test_a_replay_passes_over_types_that_somebody_subscribes_to_meanwhile(handled, subscribed, monkeypatch):
    monkeypatch.setattr(replay, "CHUNK", 10)
    Subscription.objects.filter(event_type="tests.ponged").update(active=False)
    steps = replay.replay(replay.Selection())
    assert next(steps).events == 10
    Subscription.objects.update(active=True)
    assert [step.events for step in steps] == [20]


def test_nothing_is_done_unless_it_is_said_which_and_to_somebody_who_is_subscribed(handled):
    refused("replay", "--yes", match="Say which events")
    refused("replay", "--all", match="Add --yes")
    refused("replay", "--since", "yesterday", "--yes", match="is no time")
    assert "Subscribed: bus.see to tests.pinged" in refused(
        "replay", "--type", "tests.pinged", "--handler", "bus.other", "--yes", match="not subscribed"
    )
    assert "orders.keep_catalogue to inventory.product_changed" in refused(
        "replay", "--type", "inventory.nothing", "--yes", match="Nobody is subscribed"
    )
    assert not Delivery.objects.exists()
