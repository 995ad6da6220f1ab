"""The states of a delivery: each row is in exactly one, and every change names known ones."""

from datetime import UTC, datetime, timedelta

from django.db.models import BooleanField, Case, When
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from project.bus import publish
from project.bus.models import Delivery, Subscription
from project.bus.states import CHANGES, OWED, SETTLED, UNSETTLED, diagram
from tests.bus.events import Pinged


class TestEachDeliveryIsInOneState(TestCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        attempts=st.integers(0, 2**31 - 1),
        due_in=st.sampled_from([-(10**7), -60, 60, 10**7]),
        dead_at=st.sampled_from([None, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]),
        waits_for=st.sampled_from(["", "tests.pinged version 2", " "]),
    )
    def test_for_any_values(self, attempts, due_in, dead_at, waits_for):
        Subscription.objects.create(event_type=Pinged.wire_name, handler="bus.ping", queue="bus")
        publish(Pinged(number=1))
        Delivery.objects.update(
            attempts=attempts, due_at=Now() + timedelta(seconds=due_in), dead_at=dead_at, waits_for=waits_for
        )
        # In one query, because the clock moves between two.
        holds = {
            name: Case(When(owed.condition, then=True), default=False, output_field=BooleanField())
            for name, owed in OWED.items()
        }
        states = [name for name, held in Delivery.objects.annotate(**holds).values(*holds).get().items() if held]
        assert len(states) == 1, states
        assert Delivery.objects.with_state().get().state == states[0]
        assert Delivery.objects.in_state(*states).count() == 1
        assert Delivery.objects.in_state(*(OWED.keys() - set(states))).count() == 0


def test_changes_name_only_known_states_and_reach_all_of_them():
    before, after = ({change[side] for change in CHANGES} for side in (0, 1))
    assert before == {"", *OWED}
    assert after == {*OWED, *SETTLED}
    assert set(UNSETTLED) <= set(OWED)


def test_the_diagram_shows_every_change():
    assert len(diagram().splitlines()) == 1 + len(CHANGES) + len(SETTLED)
