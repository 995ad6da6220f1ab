"""A handler whose code no longer takes a type of event is not called with one, and can be owed none."""

from dataclasses import replace

import pytest

from project.bus import publish
from project.bus.models import Delivery, Subscription
from project.bus.registry import handlers
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged, Ponged
from tests.bus.helpers import bus, bus_refuses, last_audit_entry


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def handler(subscribed, seen):
    """A handler that took pings and pongs in the release before, and takes only pings in this one."""

    def see(event):
        seen.append(event.wire_name)

    before = subscribed(see, Pinged, Ponged)
    handlers[before.name] = replace(before, event_types=(Pinged,))
    return handlers[before.name]


def test_an_event_of_that_type_waits_for_a_release_that_takes_it(handler, seen):
    publish(Pinged(number=1), Ponged(number=1))
    answer_bell(handler)
    assert seen == ["tests.pinged"]
    waiting = Delivery.objects.get()
    assert (waiting.waits_for, waiting.attempts) == ("tests.ponged version 1", 0)


def test_only_that_type_can_be_retired(handler, seen):
    publish(Pinged(number=1), Ponged(number=1))
    bus_refuses("retire", handler.name, "--type", "tests.ponged", "--yes", match="is owed 1")
    bus_refuses("retire", handler.name, "--type", "tests.pinged", "--yes", match="gives .* events of tests.pinged")
    bus_refuses("retire", handler.name, "--type", "tests.poked", "--yes", match="never took 'tests.poked'")
    said = bus("retire", handler.name, "--type", "tests.ponged", "--discard")
    assert "owed no tests.ponged any more. 1 deliveries were discarded." in said
    request = {"handler": handler.name, "type": "tests.ponged", "discard": True}
    assert last_audit_entry() == ("ann", "retire", request, {"discarded": 1})
    active = Subscription.objects.filter(handler=handler.name, active=True)
    assert list(active.values_list("event_type", flat=True)) == ["tests.pinged"]
    publish(Ponged(number=2))
    answer_bell(handler)
    assert seen == ["tests.pinged"]
    assert not Delivery.objects.exists()
