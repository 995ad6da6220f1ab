"""`manage.py bus status`, and the trace of a chain of events."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime

from project.bus import PermanentError, publish
from project.bus.backends import backend
from project.bus.models import Event, Receipt, Subscription
from project.bus.operator.trace import trace_events
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged, Ponged
from tests.bus.helpers import bus


@pytest.fixture
def mixed(subscribed):
    """One event in each state: done, dead, retrying, due and scheduled."""

    def answer(event):
        if event.number == 1:
            raise PermanentError("no")
        if event.number == 2:
            raise ValueError("not yet")
        publish(Ponged(number=event.number))

    handler = subscribed(answer, Pinged)
    events = [Pinged(number=number) for number in range(5)]
    publish(events[4], delay=timedelta(hours=1))
    publish(*events[:3])
    answer_bell(handler)
    while not Receipt.objects.exists():
        answer_bell(handler)
    publish(events[3])
    return events


def test_status_counts_by_state(mixed):
    status = json.loads(bus("status", "--json"))
    assert status["events"] == {"total": 6, "scheduled": 1, "unsettled": 2}
    assert status["deliveries"] == {"done": 1, "retrying": 1, "waiting": 0, "dead": 1}
    assert status["oldest_unsettled_s"] >= 0
    assert set(status["queues"]) >= {"users", "orders", "inventory", "external"}


def test_status_says_when_the_broker_does_not_answer(mixed):
    assert "broker does not answer" in bus("status")


def test_status_names_handlers_that_are_paused_or_whose_circuit_is_open(mixed):
    Subscription.objects.filter(handler="bus.answer").update(paused=True, open_until=Now() + timedelta(minutes=5))
    lines = bus("status").splitlines()
    assert [line for line in lines if "handlers paused" in line and " bus.answer " in line]
    assert [line for line in lines if "handlers circuit_open" in line and " bus.answer until 20" in line]


def test_a_trace_has_the_state_of_each_event_of_a_chain(mixed):
    done, dead, retrying, due, scheduled = (trace_events(of=event.id) for event in mixed)
    assert [event.type for event in done] == ["tests.pinged", "tests.ponged"]
    assert done[1].causation_id == mixed[0].id
    states = [chain[0].handlers[0].state for chain in (done, dead, retrying, due, scheduled)]
    assert states == ["done", "dead", "retrying", "due", "scheduled"]
    (failed,) = dead[0].handlers[0].failures
    assert (failed.error, failed.attempt) == ("PermanentError: no", dead[0].handlers[0].attempts)
    assert dead[0].handlers[0].due_at is None
    assert retrying[0].handlers[0].attempts >= 2
    assert trace_events(of=uuid4()) == []


def test_trace_prints_the_tree_and_refuses_unknown_ids(mixed, capsys):
    call_command("trace", str(mixed[0].id))
    printed = capsys.readouterr().out.splitlines()
    assert "tests.pinged of 0" in printed[0]
    assert "bus.answer done, " in printed[1]
    assert "tests.ponged of 0" in printed[2]
    with pytest.raises(CommandError, match="No event"):
        call_command("trace", str(uuid4()))
    with pytest.raises(CommandError, match="is not an id"):
        call_command("trace", "not-an-id", stderr=StringIO())


def test_times_are_those_of_the_database(mixed):
    event = trace_events(of=mixed[0].id)[0]
    assert event.time.tzinfo is not None
    assert parse_datetime(event.time.isoformat()) == event.time


def test_a_table_with_many_rows_is_estimated_and_not_counted(mixed, monkeypatch):
    rows = {Event: 100_001, Receipt: 100_000}
    monkeypatch.setattr(type(backend()), "estimated_rows", lambda self, model: rows.get(model, -1))
    status = json.loads(bus("status", "--json"))
    assert status["events"]["total"] == 100_001
    assert status["deliveries"]["done"] == Receipt.objects.count()
