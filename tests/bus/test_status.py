"""bus_status and the story of a chain of events."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils.dateparse import parse_datetime

from project.bus.consumer import PermanentError, answer_bell
from project.bus.outbox import publish
from project.bus.status import bus_status, story
from tests.bus.events import Pinged, Ponged


@pytest.fixture
def mixed(subscribed):
    """One event each that is done, dead, retrying, due and scheduled."""

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
    while bus_status()["deliveries"]["done"] < 1:
        answer_bell(handler)
    publish(events[3])
    return events


def test_bus_status_counts_what_is_done_scheduled_unsettled_and_dead(mixed, capsys):
    call_command("bus_status", "--json")
    status = json.loads(capsys.readouterr().out)
    assert status["events"] == {"total": 6, "scheduled": 1, "unsettled": 2}
    assert status["deliveries"] == {"done": 1, "retrying": 1, "waiting": 0, "dead": 1}
    assert status["oldest_unsettled_s"] >= 0
    assert set(status["queues"]) >= {"users", "orders", "inventory", "external"}


def test_bus_status_says_when_the_broker_does_not_answer(mixed, capsys):
    call_command("bus_status")
    assert "broker does not answer" in capsys.readouterr().out


def test_a_story_tells_what_became_of_each_event_of_a_chain(mixed):
    done, dead, retrying, due, scheduled = (story(of=event.id) for event in mixed)
    assert [told.type for told in done] == ["tests.pinged", "tests.ponged"]
    assert done[1].causation_id == mixed[0].id
    states = [chain[0].handlings[0].state for chain in (done, dead, retrying, due, scheduled)]
    assert states == ["done", "dead", "retrying", "due", "scheduled"]
    (failed,) = dead[0].handlings[0].failures
    assert (failed.error, failed.attempt) == ("PermanentError: no", dead[0].handlings[0].attempts)
    assert dead[0].handlings[0].due_at is None
    assert retrying[0].handlings[0].attempts >= 2
    assert story(of=uuid4()) == []


def test_trace_prints_the_tree_and_refuses_what_it_does_not_know(mixed, capsys):
    call_command("trace", str(mixed[0].id))
    printed = capsys.readouterr().out.splitlines()
    assert "tests.pinged of 0" in printed[0]
    assert "bus.answer done, " in printed[1]
    assert "tests.ponged of 0" in printed[2]
    with pytest.raises(CommandError, match="no event"):
        call_command("trace", str(uuid4()))
    with pytest.raises(CommandError, match="is no id"):
        call_command("trace", "not-an-id", stderr=StringIO())


def test_times_are_the_databases(mixed):
    told = story(of=mixed[0].id)
    assert told[0].time.tzinfo is not None
    assert parse_datetime(told[0].time.isoformat()) == told[0].time
