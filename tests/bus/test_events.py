"""Event types: declared once, validated when encoded and when decoded."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project.bus import Event, registry
from project.bus.errors import InvalidEvent, UnknownEvent
from project.bus.events import event_type_named
from project.events import Line, OrderPlaced, ProductChanged
from tests.bus.events import Pinged


@given(st.lists(st.builds(Line, sku=st.text(), quantity=st.integers(-(2**63), 2**63 - 1))))
def test_an_event_survives_encoding_and_decoding(lines):
    event = OrderPlaced(order_id=uuid4(), customer_id=uuid4(), lines=lines, sequence=3)
    assert OrderPlaced.decode(event.encode(), id=event.id, sequence=3) == event


def test_the_envelope_is_not_encoded_as_data():
    event = Pinged(number=1, sequence=4, cause=Pinged(number=0))
    assert msgspec.json.decode(event.encode()) == {"number": 1}


def test_a_decimal_is_encoded_as_text():
    changed = ProductChanged.decode(b'{"sku":"A","name":"B","price":"1.10","currency":"EUR","active":true}')
    assert msgspec.json.decode(changed.encode())["price"] == "1.10"


@pytest.mark.parametrize("data", [b"{}", b'{"number": "1"}', b"[]", b"not json", b'{"number": 1.5}'])
def test_data_that_do_not_fit_the_type_are_refused(data):
    with pytest.raises(InvalidEvent, match="Pinged"):
        Pinged.decode(data)


def test_an_unknown_field_is_ignored():
    assert Pinged.decode(b'{"number": 1, "added_later": true}').number == 1


def test_an_event_is_immutable():
    with pytest.raises(AttributeError):
        Pinged(number=1).number = 2


def test_an_event_type_is_found_by_its_wire_name_and_known_version():
    assert event_type_named("tests.pinged", version=1) is Pinged
    with pytest.raises(UnknownEvent, match=r"tests\.pinged version 2"):
        event_type_named("tests.pinged", version=2)
    with pytest.raises(UnknownEvent):
        event_type_named("tests.never_was", version=1)


def test_an_event_type_needs_a_unique_wire_name_and_a_subject_among_its_fields():
    new_type: Any = type(Event)
    with pytest.raises(TypeError, match="wire name"):
        new_type("Nameless", (Event,), {"__annotations__": {"x": int}}, subject="x")
    with pytest.raises(TypeError, match="Pinged"):
        new_type("Again", (Event,), {"__annotations__": {"x": int}}, name="tests.pinged", subject="x")
    with pytest.raises(TypeError, match="Timed declares time"):
        new_type("Timed", (Event,), {"__annotations__": {"time": "int", "number": "int"}}, name="tests.timed")
    with pytest.raises(TypeError, match="subject"):
        new_type("Aimless", (Event,), {"__annotations__": {"x": int}}, name="tests.aimless", subject="id")


def test_every_event_of_the_system_has_a_subscriber():
    subscribed = {event_type for handler in registry.handlers.values() for event_type in handler.event_types}
    ours = {cls for cls in Event.__subclasses__() if cls.__module__ == "project.events"}
    assert ours - subscribed == set()
