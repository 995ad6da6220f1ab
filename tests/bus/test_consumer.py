"""Claim, handle, receipt, retry, dead letter: each through the bell, as a worker would."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from project.bus import claims, consumer, endings, sessions
from project.bus.consumer import BATCH, SINGLES, PermanentError, answer_bell, idempotency_key, subscribe
from project.bus.models import Delivery, Event, Failure, Receipt, Subscription
from project.bus.outbox import publish
from tests.bus.events import Pinged, Ponged
from tests.bus.hands import make_due, until_settled


def recorder(seen: list) -> Callable:
    def record(event):
        seen.append(event.number)

    return record


def test_a_delivery_that_is_handled_becomes_a_receipt_of_the_same_id(subscribed):
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


def test_a_second_bell_finds_nothing_to_do(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged)
    publish(Pinged(number=1))
    for _ in range(10):
        answer_bell(handler)
    assert seen == [1]


def test_bells_are_answered_on_the_connection_that_is_there(transactional_db, subscribed):
    """To open one takes longer than to handle an event, on SQLite too."""
    handler = subscribed(recorder([]), Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    before = connection.connection
    for _ in range(2):
        answer_bell(handler)
        assert connection.connection is before


def test_a_batch_handler_gets_up_to_a_full_batch_of_events_in_the_order_of_publishing(subscribed):
    batches: list[list[int]] = []

    def take(events):
        batches.append([event.number for event in events])

    handler = subscribed(take, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(BATCH * 2 + 50)))
    answer_bell(handler)
    assert [len(batch) for batch in batches] == [BATCH, BATCH, 50]
    assert [number for batch in batches for number in batch] == list(range(BATCH * 2 + 50))


def test_a_handler_of_single_events_is_given_fewer_at_once_as_its_time_limit_is_for_all_of_them(subscribed):
    sizes: list[int] = []

    def take(event):
        sizes.append(Receipt.objects.count())

    handler = subscribed(take, Pinged)
    publish(*(Pinged(number=number) for number in range(SINGLES + 10)))
    answer_bell(handler)
    assert sizes == [SINGLES] * SINGLES + [SINGLES + 10] * 10


def test_a_handler_may_be_subscribed_to_several_types(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged, Ponged)
    publish(Pinged(number=1), Ponged(number=2))
    answer_bell(handler)
    assert seen == [1, 2]


@pytest.mark.parametrize("batch", [True, False])
def test_one_bad_event_of_a_hundred_is_retried_alone_and_ends_dead_while_the_others_are_done(subscribed, batch):
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
    assert max(Receipt.objects.values_list("attempts", flat=True)) == 2, "a neighbour was tried more than twice"
    dead = Delivery.objects.get()
    assert (dead.event.data, dead.attempts) == ({"number": 42}, 3)
    assert tries.count(42) == 3
    failures = Failure.objects.order_by("attempt")
    assert [failure.attempt for failure in failures] == [2, 3], "the first attempt was the batch's"
    assert "ValueError: not this one" in failures[0].traceback
    assert len({failure.signature for failure in failures}) == 1


def test_a_failed_batch_leaves_nothing_behind(subscribed):
    def write_then_fail(events):
        publish(*(Ponged(number=event.number, cause=event) for event in events))
        if len(events) > 1:
            raise ValueError

    handler = subscribed(write_then_fail, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(5)))
    until_settled(handler)
    assert Event.objects.filter(type=Ponged.wire_name).count() == 5


def test_the_neighbours_of_a_bad_event_do_not_wait_for_their_second_try(subscribed):
    seen: list[int] = []

    def refuse_company(events):
        if len(events) > 1:
            raise ValueError
        seen.append(events[0].number)

    handler = subscribed(refuse_company, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(5)))
    answer_bell(handler)
    assert sorted(seen) == list(range(5))


def test_failures_are_retried_later_each_time(subscribed, monkeypatch):
    def fail(event):
        raise ValueError

    # Full jitter may draw next to nothing, and then a retry is rightly due at once.
    monkeypatch.setattr(endings, "backoff_seconds", lambda attempts: 60.0)
    handler = subscribed(fail, Pinged, attempts=8)
    publish(Pinged(number=1))
    answer_bell(handler)
    assert Failure.objects.count() == 1, "it was tried again at once"
    until_settled(handler)
    assert Delivery.objects.get().attempts == 8
    assert Failure.objects.count() == 8


def test_backoff_doubles_with_full_jitter_up_to_ten_minutes():
    for attempts, longest in ((1, 1), (2, 2), (5, 16), (10, 512), (11, 600), (1000, 600)):
        drawn = [endings.backoff_seconds(attempts) for _ in range(200)]
        assert 0 <= min(drawn) < longest / 4
        assert longest * 3 / 4 < max(drawn) <= longest


def test_a_permanent_error_is_a_dead_letter_at_once(subscribed):
    def refuse(event):
        raise PermanentError("never")

    handler = subscribed(refuse, Pinged)
    publish(Pinged(number=1))
    answer_bell(handler)
    dead = Delivery.objects.get()
    assert dead.dead_at is not None
    assert dead.attempts == 1


def test_an_event_that_cannot_be_decoded_is_set_aside_and_its_neighbours_are_done(subscribed):
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


def test_an_event_of_a_newer_version_waits_uncounted_for_a_newer_worker(subscribed):
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


def test_a_delivery_whose_worker_vanishes_each_time_is_a_dead_letter_that_says_so(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged, attempts=3)
    publish(Pinged(number=1))
    assert len(claims.claim_fresh(handler=handler, limit=100, durable=False)) == 1
    for attempts in (2, 3):
        make_due()
        assert claims.claim_tried(handler=handler).attempts == attempts
    make_due()
    answer_bell(handler)
    assert seen == []
    assert Delivery.objects.get().dead_at is not None
    assert Failure.objects.get().error == "WorkerVanished"


def test_a_claim_that_was_taken_over_changes_nothing_any_more(subscribed):
    handler = subscribed(recorder([]), Pinged)
    publish(Pinged(number=1))
    (stale,) = claims.claim_fresh(handler=handler, limit=100, durable=False)
    make_due()
    current = claims.claim_tried(handler=handler)
    before = Delivery.objects.get()
    with transaction.atomic():
        assert endings.finish(claims=[stale]) == set()
    endings.release(claims=[stale])
    endings.hand_back(claims=[stale], waits_for="tests.pinged version 2")
    assert not endings.fail(handler=handler, claim=stale, error="E", signature="", traceback="", permanent=True)
    after = Delivery.objects.get()
    assert (after.due_at, after.attempts, after.dead_at) == (before.due_at, before.attempts, None)
    assert not Failure.objects.exists()
    with transaction.atomic():
        assert endings.finish(claims=[current]) == {current.delivery_id}


def test_a_lease_grows_with_the_attempts(subscribed):
    handler = subscribed(recorder([]), Pinged)
    first = claims.LEASE[connection.vendor]
    leases = [claims.lease_seconds(handler, attempts=attempts) for attempts in (1, 2, 3, 20)]
    assert leases == [first, first * 2, first * 4, 600]


def test_a_paused_handler_is_neither_rung_nor_handled_and_loses_nothing(subscribed, drain):
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


def test_an_external_handler_runs_outside_a_transaction_and_can_name_its_delivery(transactional_db, subscribed):
    keys: list[str] = []

    def send(event):
        assert not connection.in_atomic_block
        keys.append(idempotency_key())
        if len(keys) == 1:
            raise OSError("the mail server is away")

    handler = subscribed(send, Pinged, external=True)
    assert handler.queue == "external"
    with transaction.atomic():
        publish(Pinged(number=1))
        publish(Pinged(number=2))
    until_settled(handler)
    assert len(keys) == 3, "the one that failed is sent again, the other is not"
    assert len(set(keys)) == 2
    assert Receipt.objects.count() == 2


def test_an_external_effect_has_its_receipt_though_its_lease_has_passed(transactional_db, subscribed):
    def slow(event):
        make_due()
        claims.claim_tried(handler=handler)  # another worker takes over meanwhile

    handler = subscribed(slow, Pinged, external=True)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    assert Receipt.objects.count() == 1
    assert not Delivery.objects.exists()


def test_a_lost_database_connection_makes_the_next_claims_single_and_the_event_is_done(
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


def test_two_handlers_of_one_name_are_refused(subscribed):
    handler = subscribed(recorder([]), Pinged)
    with pytest.raises(ValueError, match=r"bus\.record"):
        subscribe(Ponged)(handler.function)


def test_an_external_handler_takes_no_batches():
    with pytest.raises(ValueError, match="batch"):
        subscribe(Pinged, batch=True, external=True)


def test_an_answer_ends_with_a_batch_that_is_not_full(subscribed, monkeypatch):
    monkeypatch.setattr(consumer, "BATCH", 3)
    sizes: list[int] = []

    def pass_on(events):
        sizes.append(len(events))
        if len(sizes) < 5:
            publish(Pinged(number=0, cause=events[0]))

    handler = subscribed(pass_on, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(4)))
    answer_bell(handler)
    assert sizes == [3, 2], "a full batch is followed by another, one that is not full by the next bell"
    answer_bell(handler)
    assert sizes == [3, 2, 1]
