"""Two releases run side by side: each handles the events that it knows and leaves the rest to the other."""

from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.checks import run_checks
from django.db.models.functions import Now

from project.bus import events, publish, upcast
from project.bus.errors import InvalidEvent
from project.bus.models import Delivery, Failure, Receipt
from project.bus.models import Event as EventRow
from project.bus.operator import selectors
from project.bus.operator.status import bus_status
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import make_due


@pytest.fixture
def released(monkeypatch):
    """Declare a later version of Pinged, as a newer release does."""

    def released(version: int, fields: dict[str, Any]) -> type[events.Event]:
        monkeypatch.delitem(events._registry, "tests.pinged")
        new_type: Any = type(events.Event)
        return new_type(
            "Pinged",
            (events.Event,),
            {"__annotations__": fields, "__module__": __name__},
            name="tests.pinged",
            version=version,
            subject="count",
        )

    return released  # monkeypatch brings the old class back


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {"count": fields["number"]}


def owe(handler) -> None:
    Delivery.objects.create(event=EventRow.objects.get(), handler=handler.name, due_at=Now() - timedelta(seconds=60))


def test_upcasters_let_a_new_release_handle_an_old_event(released, subscribed):
    publish(Pinged(number=3))
    newest = released(3, {"count": int, "unit": str})
    upcast(newest, from_version=1)(renamed)
    upcast(newest, from_version=2)(lambda fields: {**fields, "unit": "ping"})
    seen = []
    handler = subscribed(lambda event: seen.append((event.count, event.unit)), newest)
    owe(handler)
    answer_bell(handler)
    assert seen == [(3, "ping")]


def test_a_newer_event_waits_without_attempts_for_a_release_that_knows_it(subscribed, released):
    seen = []

    def count(event):
        seen.append(event.count if hasattr(event, "count") else event.number)

    handler = subscribed(count, Pinged, batch=False)
    publish(*(Pinged(number=number) for number in range(3)))
    newer = EventRow.objects.order_by("id")[1]
    EventRow.objects.filter(pk=newer.pk).update(version=2, data={"count": 1})
    for _ in range(10):
        answer_bell(handler)
        make_due()
    assert seen == [0, 2]
    waiting = Delivery.objects.get()
    assert (waiting.attempts, waiting.waits_for, waiting.dead_at) == (0, "tests.pinged version 2", None)
    status = bus_status()
    assert (status["deliveries"]["waiting"], status["events"]["unsettled"]) == (1, 1)
    assert selectors.deliveries().get().state == "waiting"
    assert not Failure.objects.exists()

    newest = released(2, {"count": int})
    upcast(newest, from_version=1)(renamed)
    answer_bell(handler)
    assert seen == [0, 2, 1]
    assert Receipt.objects.filter(attempts=1).count() == 3
    assert bus_status()["deliveries"]["waiting"] == 0


def test_a_newer_event_is_snoozed_for_half_a_minute(subscribed):
    handler = subscribed(lambda event: None, Pinged)
    publish(Pinged(number=1))
    EventRow.objects.update(version=2)
    answer_bell(handler)
    due_at, now = Delivery.objects.annotate(now=Now()).values_list("due_at", "now").get()
    assert timedelta(seconds=20) < due_at - now <= timedelta(seconds=30)


def test_an_event_whose_upcaster_fails_becomes_a_dead_letter_with_the_reason(subscribed, released):
    publish(Pinged(number=1))
    newest = released(2, {"count": int})
    upcast(newest, from_version=1)(lambda fields: {"count": fields["nummer"]})
    handler = subscribed(lambda event: None, newest)
    owe(handler)
    answer_bell(handler)
    assert Delivery.objects.get().dead_at
    assert "its upcaster from version 1 failed with KeyError: 'nummer'" in Failure.objects.get().error


def test_an_upcaster_that_returns_what_json_cannot_hold_stops_no_other_event(subscribed, released):
    publish(Pinged(number=1), Pinged(number=2))
    newest = released(2, {"count": int})
    upcast(newest, from_version=1)(lambda fields: {"count": object() if fields["number"] == 1 else 2})
    seen = []
    handler = subscribed(lambda event: seen.append(event.count), newest)
    Delivery.objects.bulk_create(
        Delivery(event=event, handler=handler.name, due_at=event.time) for event in EventRow.objects.all()
    )
    answer_bell(handler)
    assert seen == [2]
    assert "its upcaster from version 1 failed with TypeError" in Failure.objects.get().error


def test_a_time_limit_that_strikes_within_an_upcaster_buries_no_event(subscribed, released):
    publish(Pinged(number=1))
    newest = released(2, {"count": int})

    def linger(fields):
        raise SoftTimeLimitExceeded

    upcast(newest, from_version=1)(linger)
    handler = subscribed(lambda event: None, newest)
    owe(handler)
    with pytest.raises(SoftTimeLimitExceeded):
        answer_bell(handler)
    assert Delivery.objects.get().dead_at is None
    assert not Failure.objects.exists()


def test_the_result_of_an_upcaster_is_validated(released):
    newest = released(2, {"count": int})
    upcast(newest, from_version=1)(lambda fields: {"count": "many"})
    with pytest.raises(InvalidEvent, match=r"\$\.count"):
        newest.decode(b'{"number": 1}', version=1)


def test_a_release_without_an_upcaster_from_an_older_version_does_not_start(released, db):
    newest = released(3, {"count": int})
    upcast(newest, from_version=2)(renamed)
    (error,) = [message for message in run_checks() if message.id == "bus.E001"]
    assert error.msg == "Pinged is version 3 and has no upcaster from version 1."
    assert "@upcast(Pinged, from_version=1)" in (error.hint or "")


def test_an_upcaster_must_start_at_an_older_version_and_be_the_only_one(released):
    newest = released(2, {"count": int})
    with pytest.raises(TypeError, match="no upcaster can start at 2"):
        upcast(newest, from_version=2)
    upcast(newest, from_version=1)(renamed)
    with pytest.raises(TypeError, match="two upcasters from version 1"):
        upcast(newest, from_version=1)
