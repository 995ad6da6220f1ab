"""Settlement: how claims end, with a receipt, a retry or a dead letter."""

from collections.abc import Callable

from django.db import transaction

from project.bus import PermanentError, publish
from project.bus.backends import Claim
from project.bus.models import Delivery, Failure
from project.bus.worker import claims, settlement
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import make_due, until_settled


def recorder(seen: list) -> Callable:
    def record(event):
        seen.append(event.number)

    return record


def test_the_other_events_of_a_failed_batch_are_retried_at_once(subscribed):
    seen: list[int] = []

    def refuse_batches(events):
        if len(events) > 1:
            raise ValueError
        seen.append(events[0].number)

    handler = subscribed(refuse_batches, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(5)))
    answer_bell(handler)
    assert sorted(seen) == list(range(5))


def test_a_failed_delivery_is_retried_after_a_backoff(subscribed, monkeypatch):
    def fail(event):
        raise ValueError

    # Full jitter may draw almost zero, and then a retry is rightly due at once.
    monkeypatch.setattr(settlement, "backoff_seconds", lambda attempts: 60.0)
    handler = subscribed(fail, Pinged, attempts=8)
    publish(Pinged(number=1))
    answer_bell(handler)
    assert Failure.objects.count() == 1, "it was tried again at once"
    until_settled(handler)
    assert Delivery.objects.get().attempts == 8
    assert Failure.objects.count() == 8


def test_backoff_doubles_with_full_jitter_up_to_ten_minutes():
    for attempts, longest in ((1, 1), (2, 2), (5, 16), (10, 512), (11, 600), (1000, 600)):
        drawn = [settlement.backoff_seconds(attempts) for _ in range(200)]
        assert 0 <= min(drawn) < longest / 4
        assert longest * 3 / 4 < max(drawn) <= longest


def test_a_permanent_error_makes_a_dead_letter_at_once(subscribed):
    def refuse(event):
        raise PermanentError("never")

    handler = subscribed(refuse, Pinged)
    publish(Pinged(number=1))
    answer_bell(handler)
    dead = Delivery.objects.get()
    assert dead.dead_at is not None
    assert dead.attempts == 1


def test_a_stale_claim_changes_nothing(subscribed):
    handler = subscribed(recorder([]), Pinged)
    publish(Pinged(number=1))
    (stale,) = claims.claim_fresh(handler=handler, limit=100, durable=False)
    make_due()
    current = claims.claim_retry(handler=handler)
    assert isinstance(current, Claim)
    before = Delivery.objects.get()
    with transaction.atomic():
        assert settlement.ack(claims=[stale]) == set()
    settlement.requeue(claims=[stale])
    settlement.snooze(claims=[stale], waits_for="tests.pinged version 2")
    assert not settlement.fail(handler=handler, claim=stale, error="E", signature="", traceback="", permanent=True)
    after = Delivery.objects.get()
    assert (after.due_at, after.attempts, after.dead_at) == (before.due_at, before.attempts, None)
    assert not Failure.objects.exists()
    with transaction.atomic():
        assert settlement.ack(claims=[current]) == {current.delivery_id}
