"""Pruning: what is old and settled goes, whatever is owed stays."""

from datetime import timedelta
from itertools import islice
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from project.bus import pruning, replay
from project.bus.consumer import PermanentError, answer_bell
from project.bus.models import Delivery, Event, Failure, FailureCount, Receipt
from project.bus.outbox import publish
from tests.bus.events import Pinged
from tests.bus.hands import by_hand, make_due, refused, written_down
from tests.threads import at_once

DAYS = timedelta(days=31)


def make_old(events) -> None:
    """As if they had been published a month ago, ids and all."""
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


def numbers() -> list[int]:
    return sorted(event.data["number"] for event in Event.objects.all())


def test_old_settled_events_go_with_their_receipts_and_whatever_is_owed_or_young_stays(handler):
    handle(handler, 1, 2, 13)
    handle(handler, 4)
    young = Event.objects.get(subject="4")
    publish(Pinged(number=3))  # owed
    make_old(Event.objects.exclude(pk=young.pk))
    assert by_hand("prune_events").endswith("2 events, 2 receipts and 0 failures are gone.\n")
    assert numbers() == [3, 4, 13]
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 1
    assert Failure.objects.count() == 1
    assert written_down()[1:] == (
        "prune",
        {"keep": "30 days, 0:00:00", "chunk": 1000},
        {"events": 2, "receipts": 2, "failures": 0},
    )


def test_a_discarded_dead_letter_goes_with_its_failures(handler):
    handle(handler, 13)
    by_hand("dead_letters", "discard", "--all")
    make_old(Event.objects.all())
    FailureCount.objects.update(last_at=Now() - DAYS)
    assert "1 events, 1 receipts and 1 failures" in by_hand("prune_events")
    assert not FailureCount.objects.exists()


def test_it_goes_in_chunks(handler):
    handle(handler, *range(1, 11))
    make_old(Event.objects.all())
    assert [gone.events for gone in pruning.prune(keep=timedelta(days=30), chunk=4)] == [4, 8, 10]


@pytest.mark.django_db(transaction=True)
def test_it_ends_although_events_go_on_being_settled(subscribed):
    handler = subscribed(lambda event: None, Pinged)

    def settle(*numbers: int) -> None:
        with transaction.atomic():
            handle(handler, *numbers)

    settle(1, 2)
    Event.objects.update(time=Now() - timedelta(seconds=10))
    gone = []
    for number, so_far in enumerate(islice(pruning.prune(keep=timedelta(0), chunk=1), 10)):
        gone.append(so_far.events)
        settle(3 + number)
    assert gone == [1, 2]


def test_a_dry_run_counts_and_does_nothing(handler):
    handle(handler, 1, 2)
    make_old(Event.objects.all())
    assert by_hand("prune_events", "--dry-run") == "2 events would go.\n"
    assert by_hand("prune_events", "--keep", "40d", "--dry-run") == "0 events would go.\n"
    assert Event.objects.count() == 2


@pytest.mark.parametrize("words", [("--keep", "long"), ("--chunk", "0"), ("--chunk", "many")])
def test_wrong_arguments_change_nothing(db, words):
    refused("prune_events", "--yes", *words, match="give")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_pruning_and_replaying_at_once_leave_no_delivery_without_its_event(subscribed):
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
        *_, gone = [pruning.Pruned(), *pruning.prune(keep=timedelta(days=30), chunk=50)]
        return gone.events

    def owe() -> int:
        selection = replay.Selection(type=Pinged.wire_name)
        *_, done = [replay.Replayed(events=0, deliveries=0, still_owed=0), *replay.replay(selection)]
        return done.deliveries

    gone, owed, gone_too, owed_too = at_once(prune, owe, prune, owe)
    assert gone + gone_too + Event.objects.count() == 3000
    assert owed + owed_too == Delivery.objects.count()
    assert not Delivery.objects.exclude(event_id__in=Event.objects.values("pk")).exists()
