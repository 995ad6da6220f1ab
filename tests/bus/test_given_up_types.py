"""A handler whose code takes a type of event no more: it is not called with one, and need not be owed any."""

from dataclasses import replace

import pytest

from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Subscription
from project.bus.outbox import publish
from project.bus.registry import handlers
from tests.bus.events import Pinged, Ponged
from tests.bus.hands import by_hand, refused, written_down


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def handler(subscribed, seen):
    """One that took pings and pongs in the release before, and takes pings alone in this one."""

    def see(event):
        seen.append(event.wire_name)

    before = subscribed(see, Pinged, Ponged)
    handlers[before.name] = replace(before, event_types=(Pinged,))
    return handlers[before.name]


def test_it_is_not_called_with_an_event_of_that_type_which_waits_for_a_release_that_takes_it(handler, seen):
    publish(Pinged(number=1), Ponged(number=1))
    answer_bell(handler)
    assert seen == ["tests.pinged"]
    waiting = Delivery.objects.get()
    assert (waiting.waits_for, waiting.attempts) == ("tests.ponged version 1", 0)


def test_that_type_is_retired_and_no_other(handler, seen):
    publish(Pinged(number=1), Ponged(number=1))
    refused("retire_handler", handler.name, "--type", "tests.ponged", "--yes", match="is owed 1")
    refused("retire_handler", handler.name, "--type", "tests.pinged", "--yes", match="gives .* events of tests.pinged")
    refused("retire_handler", handler.name, "--type", "tests.poked", "--yes", match="never took 'tests.poked'")
    said = by_hand("retire_handler", handler.name, "--type", "tests.ponged", "--discard")
    assert "owed no tests.ponged any more. 1 deliveries were discarded." in said
    request = {"handler": handler.name, "type": "tests.ponged", "discard": True}
    assert written_down() == ("ann", "retire", request, {"discarded": 1})
    active = Subscription.objects.filter(handler=handler.name, active=True)
    assert list(active.values_list("event_type", flat=True)) == ["tests.pinged"]
    publish(Ponged(number=2))
    answer_bell(handler)
    assert seen == ["tests.pinged"]
    assert not Delivery.objects.exists()
