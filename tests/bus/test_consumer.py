"""Answering a bell: what a worker claims, handles and turns into receipts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import F

from project.bus import publish
from project.bus.models import Delivery, Event, Failure, Receipt, Subscription
from project.bus.worker import consumer, sessions
from project.bus.worker.consumer import BATCH_SIZE, SINGLES_PER_TRANSACTION, answer_bell
from project.bus.worker.decoding import decode_all
from tests.bus.events import Pinged, Ponged
from tests.bus.helpers import until_settled


def recorder(seen: list) -> Callable:
    def record(event):
        seen.append(event.number)

    return record


def test_a_handled_delivery_becomes_a_receipt_with_the_same_id(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    publish(Pinged(number=1))
    owed = Delivery.objects.get()
    answer_bell(handler)
    receipt = Receipt.objects.get()
    assert seen == [1]
    assert not Delivery.objects.exists()
    assert (receipt.delivery_id, receipt.event_id, receipt.handler) == (owed.pk, owed.event_id, "bus.record")
    assert (receipt.outcome, receipt.attempts) == ("done", 1)


def test_a_repeated_bell_handles_nothing_twice(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    publish(Pinged(number=1))
    for _ in range(10):
        answer_bell(handler)
    assert seen == [1]


def test_bells_are_answered_on_the_open_database_connection(transactional_db, subscribed):
    """Opening one takes longer than handling an event, also on SQLite."""
    handler = subscribed(recorder([]), Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    before = connection.connection
    for _ in range(2):
        answer_bell(handler)
        assert connection.connection is before


def test_a_batch_handler_gets_full_batches_in_the_order_of_publication(subscribed):
    batches: list[list[int]] = []

    def take(events):
        batches.append([event.number for event in events])

    handler = subscribed(take, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(BATCH_SIZE * 2 + 50)))
    answer_bell(handler)
    assert [len(batch) for batch in batches] == [BATCH_SIZE, BATCH_SIZE, 50]
    assert [number for batch in batches for number in batch] == list(range(BATCH_SIZE * 2 + 50))


def test_a_handler_of_single_events_gets_smaller_batches_because_they_share_its_time_limit(subscribed):
    sizes: list[int] = []

    def take(event):
        sizes.append(Receipt.objects.count())

    handler = subscribed(take, Pinged)
    publish(*(Pinged(number=number) for number in range(SINGLES_PER_TRANSACTION + 10)))
    answer_bell(handler)
    assert sizes == [SINGLES_PER_TRANSACTION] * SINGLES_PER_TRANSACTION + [SINGLES_PER_TRANSACTION + 10] * 10


@pytest.mark.parametrize("batch", [True, False])
def test_one_bad_event_of_a_hundred_becomes_a_dead_letter_and_the_others_are_done(subscribed, batch):
    tries: list[int] = []

    def pick(events):
        for event in events if batch else [events]:
            tries.append(event.number)
            if event.number == 42:
                raise ValueError("not this one")

    handler = subscribed(pick, Pinged, batch=batch, attempts=3)
    publish(*(Pinged(number=number) for number in range(100)))
    until_settled(handler)
    assert Receipt.objects.count() == 99
    assert max(Receipt.objects.values_list("attempts", flat=True)) == 2, "an innocent event was tried more than twice"
    dead = Delivery.objects.get()
    assert (dead.event.data, dead.attempts) == ({"number": 42}, 3)
    assert tries.count(42) == 3
    failures = Failure.objects.order_by("attempt")
    assert [failure.attempt for failure in failures] == [2, 3], "the first attempt was the batch's"
    assert "ValueError: not this one" in failures[0].traceback
    assert len({failure.signature for failure in failures}) == 1


def test_a_handler_may_be_subscribed_to_several_types(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged, Ponged)
    publish(Pinged(number=1), Ponged(number=2))
    answer_bell(handler)
    assert seen == [1, 2]


def test_a_failed_batch_is_rolled_back(subscribed):
    def write_then_fail(events):
        publish(*(Ponged(number=event.number, cause=event) for event in events))
        if len(events) > 1:
            raise ValueError

    handler = subscribed(write_then_fail, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(5)))
    until_settled(handler)
    assert Event.objects.filter(type=Ponged.wire_name).count() == 5


def test_an_undecodable_event_becomes_a_dead_letter_and_the_others_are_done(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    publish(*(Pinged(number=number) for number in range(3)))
    Event.objects.filter(subject="1").update(data={"number": "one"})
    answer_bell(handler)
    assert seen == [0, 2]
    dead = Delivery.objects.get()
    assert dead.event.subject == "1"
    assert dead.dead_at is not None
    assert "number" in Failure.objects.get().error


def test_an_event_of_a_newer_version_waits_without_attempts_for_a_newer_worker(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    publish(*(Pinged(number=number) for number in range(3)))
    Event.objects.filter(subject="1").update(version=2)
    answer_bell(handler)
    assert seen == [0, 2]
    waiting = Delivery.objects.get()
    assert waiting.attempts == 0
    assert timedelta(seconds=20) < waiting.due_at - waiting.event.time < timedelta(seconds=40)
    assert not Failure.objects.exists()
    Event.objects.filter(subject="1").update(version=1)
    until_settled(handler)
    assert seen == [0, 2, 1]


def test_a_paused_handler_is_neither_rung_nor_called_and_loses_nothing(subscribed, drain):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    Subscription.objects.filter(handler=handler.name).update(paused=True)
    publish(*(Pinged(number=number) for number in range(3)))
    drain()
    answer_bell(handler)
    Delivery.objects.filter(event__subject="0").update(attempts=1)
    answer_bell(handler)
    assert seen == []
    Subscription.objects.filter(handler=handler.name).update(paused=False)
    drain()
    assert sorted(seen) == [0, 1, 2]


def test_after_a_lost_database_connection_claims_are_single_and_everything_is_done(
    transactional_db, subscribed, monkeypatch
):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    sizes: list[int] = []

    def cut(events):
        sizes.append(len(events))
        if len(sizes) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(sessions, "_cautious_until", 0.0)
    handler = subscribed(cut, Pinged, batch=True)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(5)))
    answer_bell(handler)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(5, 8)))
    until_settled(handler)
    assert sizes == [5, *[1] * 8]
    assert Receipt.objects.count() == 8


def test_an_answer_ends_after_a_batch_that_is_not_full(subscribed, monkeypatch):
    monkeypatch.setattr(consumer, "BATCH_SIZE", 3)
    sizes: list[int] = []

    def pass_on(events):
        sizes.append(len(events))
        if len(sizes) < 5:
            publish(Pinged(number=0, cause=events[0]))

    handler = subscribed(pass_on, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(4)))
    answer_bell(handler)
    assert sizes == [3, 2], "after a full batch comes another, after any other batch the next bell"
    answer_bell(handler)
    assert sizes == [3, 2, 1]


@pytest.mark.parametrize("external", [True, False])
def test_a_handler_over_its_time_limit_ends_the_answer_and_nothing_else_begins(transactional_db, subscribed, external):
    seen: list[int] = []

    def linger(event):
        seen.append(event.number)
        raise SoftTimeLimitExceeded

    handler = subscribed(linger, Pinged, external=external)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(consumer.SINGLES_PER_TRANSACTION + 2)))
    with pytest.raises(SoftTimeLimitExceeded):
        answer_bell(handler)
    assert seen == [0]
    tried = 1 if external else consumer.SINGLES_PER_TRANSACTION
    assert Delivery.objects.filter(attempts=1).count() == tried
    assert Delivery.objects.filter(attempts=0).count() == consumer.SINGLES_PER_TRANSACTION + 2 - tried
    assert not Receipt.objects.exists()


def test_a_batch_that_another_worker_took_over_before_it_began_is_not_handled(subscribed, monkeypatch):
    seen: list[int] = []

    def slow(handler, claims):
        Delivery.objects.update(attempts=F("attempts") + 1)  # as the other worker's claim does
        return decode_all(handler, claims)

    monkeypatch.setattr(consumer, "decode_all", slow)
    handler = subscribed(lambda events: seen.extend(event.number for event in events), Pinged, batch=True)
    publish(Pinged(number=1), Pinged(number=2))
    answer_bell(handler)
    assert seen == []
    assert Delivery.objects.filter(attempts=2).count() == 2
    assert not Receipt.objects.exists()
