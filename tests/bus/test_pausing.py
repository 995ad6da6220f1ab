"""Pausing, resuming and retiring handlers."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.outbox import publish
from project.bus.registry import handlers
from project.bus.relay import due_handlers
from project.bus.status import bus_status
from tests.bus.events import Pinged
from tests.bus.hands import by_hand, make_due, refused, written_down


@pytest.fixture
def handler(subscribed):
    return subscribed(lambda events: None, Pinged, batch=True)


def test_a_paused_handler_is_given_nothing_and_everything_once_it_is_resumed(handler):
    assert "They pause. 0 deliveries wait." in by_hand("pause", handler.name)
    publish(*(Pinged(number=number) for number in range(5)))
    make_due()
    assert due_handlers() == []
    answer_bell(handler)
    assert Delivery.objects.filter(attempts=0).count() == 5
    assert bus_status()["handlers"]["paused"] == [handler.name]
    assert "They work again. 5 deliveries are owed." in by_hand("resume", handler.name)
    answer_bell(handler)
    assert Receipt.objects.count() == 5
    assert written_down() == ("ann", "resume", {"handlers": [handler.name]}, {"owed": 5})


def test_resuming_ends_a_rest(handler):
    Subscription.objects.filter(handler=handler.name).update(
        failures=20, rests=2, rests_until=Now() + timedelta(minutes=1)
    )
    by_hand("resume", handler.name)
    row = Subscription.objects.get(handler=handler.name)
    assert (row.failures, row.rests, row.rests_until, row.paused) == (0, 0, None, False)


@pytest.mark.parametrize("command", ["pause", "resume", "retire_handler"])
def test_a_handler_that_there_is_not_is_refused_and_those_that_there_are_named(handler, command):
    assert handler.name in refused(command, "bus.other", "--yes", match="There is no handler 'bus.other'")


def test_a_handler_that_the_code_still_has_is_not_retired(handler):
    refused("retire_handler", handler.name, "--yes", match="Take it out of the code first")
    assert Subscription.objects.get(handler=handler.name).active


def test_a_handler_is_retired_once_nothing_is_owed_to_it_or_what_is_may_be_given_up(handler, monkeypatch):
    publish(Pinged(number=1), Pinged(number=2))
    monkeypatch.delitem(handlers, handler.name)
    refused("retire_handler", handler.name, "--yes", match="is owed 2")
    assert Subscription.objects.get(handler=handler.name).active
    assert "2 deliveries were discarded" in by_hand("retire_handler", handler.name, "--discard")
    assert set(Receipt.objects.values_list("outcome", flat=True)) == {"discarded"}
    publish(Pinged(number=3))
    assert not Delivery.objects.exists()
    assert written_down()[1:3] == ("retire", {"handler": handler.name, "type": "", "discard": True})
    monkeypatch.undo()


def test_somebody_must_say_yes(handler):
    refused("pause", handler.name, match="Add --yes")
    assert not Subscription.objects.get(handler=handler.name).paused
