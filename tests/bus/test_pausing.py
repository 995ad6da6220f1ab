"""Pausing, resuming and retiring handlers."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from project.bus import publish
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.operator.status import bus_status
from project.bus.registry import handlers
from project.bus.relay.scan import due_handlers
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import bus, bus_refuses, last_audit_entry, make_due


@pytest.fixture
def handler(subscribed):
    return subscribed(lambda events: None, Pinged, batch=True)


def test_a_paused_handler_receives_everything_once_it_is_resumed(handler):
    assert "They pause. 0 deliveries wait." in bus("pause", handler.name)
    publish(*(Pinged(number=number) for number in range(5)))
    make_due()
    assert due_handlers() == []
    answer_bell(handler)
    assert Delivery.objects.filter(attempts=0).count() == 5
    assert bus_status()["handlers"]["paused"] == [handler.name]
    assert "They work again. 5 deliveries are owed." in bus("resume", handler.name)
    answer_bell(handler)
    assert Receipt.objects.count() == 5
    assert last_audit_entry() == ("ann", "resume", {"handlers": [handler.name]}, {"owed": 5})


def test_resume_closes_the_circuit(handler):
    Subscription.objects.filter(handler=handler.name).update(
        failures=20, openings=2, open_until=Now() + timedelta(minutes=1)
    )
    bus("resume", handler.name)
    row = Subscription.objects.get(handler=handler.name)
    assert (row.failures, row.openings, row.open_until, row.paused) == (0, 0, None, False)


@pytest.mark.parametrize("subcommand", ["pause", "resume", "retire"])
def test_an_unknown_handler_is_refused_with_a_list_of_the_known_ones(handler, subcommand):
    assert handler.name in bus_refuses(subcommand, "bus.other", "--yes", match="There is no handler 'bus.other'")


def test_a_handler_in_the_code_cannot_be_retired(handler):
    bus_refuses("retire", handler.name, "--yes", match="Remove it from the code first")
    assert Subscription.objects.get(handler=handler.name).active


def test_a_handler_can_be_retired_once_nothing_is_owed_or_what_is_owed_is_discarded(handler, monkeypatch):
    publish(Pinged(number=1), Pinged(number=2))
    monkeypatch.delitem(handlers, handler.name)
    bus_refuses("retire", handler.name, "--yes", match="is owed 2")
    assert Subscription.objects.get(handler=handler.name).active
    assert "2 deliveries were discarded" in bus("retire", handler.name, "--discard")
    assert set(Receipt.objects.values_list("outcome", flat=True)) == {"discarded"}
    publish(Pinged(number=3))
    assert not Delivery.objects.exists()
    assert last_audit_entry()[1:3] == ("retire", {"handler": handler.name, "discard": True})
    monkeypatch.undo()


def test_pause_needs_a_confirmation(handler):
    bus_refuses("pause", handler.name, match="Add --yes")
    assert not Subscription.objects.get(handler=handler.name).paused
