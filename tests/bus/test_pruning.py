"""Pruning deletes what is old and settled, and keeps what is owed."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from project.bus import PermanentError, publish
from project.bus.models import Delivery, Event, Failure, FailureCount, Receipt
from project.bus.operator import pruning, replay
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import bus, bus_refuses, last_audit_entry, make_due
from tests.threads import at_once

DAYS = timedelta(days=31)


def make_old(events) -> None:
    """Move the events a month into the past, with their ids."""
    earlier = int(DAYS.total_seconds() * 1000) << 80
    for event in list(events):
        old = UUID(int=event.pk.int - earlier)
        for model in (Delivery, Receipt, Failure):
            model.objects.filter(event_id=event.pk).update(event_id=old)
        Event.objects.filter(pk=event.pk).update(id=old, time=Now() - DAYS)


@pytest.fixture
def handler(subscribed):
    def take(event):
        if event.number == 13:
            raise PermanentError("unlucky")

    return subscribed(take, Pinged)


def handle(handler, *numbers: int) -> None:
    publish(*(Pinged(number=number) for number in numbers))
    answer_bell(handler)
    make_due()
    answer_bell(handler)


def prune_steps(*, keep: timedelta, chunk: int, after_each: Callable[[], object] = lambda: None) -> list[int]:
    """Prune, and return how many events were deleted after each transaction, of which there may be ten."""
    steps: list[int] = []

    def progress(gone: pruning.Pruned) -> None:
        steps.append(gone.events)
        assert len(steps) < 10, "the pruning has no end"
        after_each()

    gone = pruning.prune(keep=keep, events_per_transaction=chunk, actor="ann", progress=progress)
    assert gone.events == steps[-1]
    return steps


def numbers() -> list[int]:
    return sorted(event.data["number"] for event in Event.objects.all())


def test_prune_deletes_old_settled_events_and_keeps_what_is_owed_or_young(handler):
    handle(handler, 1, 2, 13)
    handle(handler, 4)
    young = Event.objects.get(subject="4")
    publish(Pinged(number=3))  # owed
    make_old(Event.objects.exclude(pk=young.pk))
    assert bus("prune").endswith("2 events, 2 receipts and 0 failures are gone.\n")
    assert numbers() == [3, 4, 13]
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 1
    assert Failure.objects.count() == 1
    assert last_audit_entry()[1:] == (
        "prune",
        {"keep": "30 days, 0:00:00", "chunk": 1000},
        {"events": 2, "receipts": 2, "failures": 0},
    )


def test_prune_deletes_a_discarded_dead_letter_with_its_failures(handler):
    handle(handler, 13)
    bus("dead-letters", "discard", "--all")
    make_old(Event.objects.all())
    FailureCount.objects.update(last_at=Now() - DAYS)
    assert "1 events, 1 receipts and 1 failures" in bus("prune")
    assert not FailureCount.objects.exists()


def test_prune_goes_in_chunks(handler):
    handle(handler, *range(1, 11))
    make_old(Event.objects.all())
    assert prune_steps(keep=timedelta(days=30), chunk=4) == [4, 8, 10]


@pytest.mark.django_db(transaction=True)
def test_prune_ends_although_events_are_still_settled(subscribed):
    handler = subscribed(lambda event: None, Pinged)

    def settle(*numbers: int) -> None:
        with transaction.atomic():
            handle(handler, *numbers)

    settle(1, 2)
    Event.objects.update(time=Now() - timedelta(seconds=10))
    number = count(3)
    assert prune_steps(keep=timedelta(0), chunk=1, after_each=lambda: settle(next(number))) == [1, 2]


def test_a_dry_run_only_counts(handler):
    handle(handler, 1, 2)
    make_old(Event.objects.all())
    assert bus("prune", "--dry-run") == "2 events would be deleted.\n"
    assert bus("prune", "--keep", "40d", "--dry-run") == "0 events would be deleted.\n"
    assert Event.objects.count() == 2


def test_the_number_of_events_per_transaction_can_be_chosen(handler, monkeypatch):
    handle(handler, 1, 2)
    asked = []
    prune = pruning.prune

    def record(*, events_per_transaction: int, **options: Any) -> pruning.Pruned:
        asked.append(events_per_transaction)
        return prune(events_per_transaction=events_per_transaction, **options)

    monkeypatch.setattr(pruning, "prune", record)
    assert "2 events, 2 receipts and 0 failures are gone" in bus("prune", "--keep", "0s", "--chunk", "1")
    assert asked == [1]


@pytest.mark.parametrize("words", [("--keep", "long"), ("--chunk", "0"), ("--chunk", "many")])
def test_wrong_arguments_change_nothing(db, words):
    bus_refuses("prune", "--yes", *words, match="give")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_prune_and_replay_at_once_leave_no_delivery_without_its_event(subscribed):
    subscribed(lambda events: None, Pinged, batch=True)
    first = uuid7().int - (int(DAYS.total_seconds() * 1000) << 80)
    Event.objects.bulk_create(
        Event(
            id=UUID(int=first + number),
            type=Pinged.wire_name,
            subject=str(number),
            time=Now() - DAYS,
            data={"number": number},
            correlation_id=UUID(int=first),
        )
        for number in range(3000)
    )

    def prune() -> int:
        return pruning.prune(keep=timedelta(days=30), events_per_transaction=50, actor="ann").events

    def owe() -> int:
        return replay.replay(query=replay.ReplayQuery(type=Pinged.wire_name), actor="ann").deliveries

    gone, owed, gone_too, owed_too = at_once(prune, owe, prune, owe)
    assert gone + gone_too + Event.objects.count() == 3000
    assert owed + owed_too == Delivery.objects.count()
    assert not Delivery.objects.exclude(event_id__in=Event.objects.values("pk")).exists()
