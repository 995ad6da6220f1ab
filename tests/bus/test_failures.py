"""Failures with one signature are a count and the latest few."""

from uuid import uuid4

import pytest
from django.db import transaction

from project.bus import failures, journal
from project.bus.consumer import answer_bell
from project.bus.failures import KEPT, signature_of, write_failure
from project.bus.models import Delivery, Failure, FailureCount, Subscription
from project.bus.outbox import publish
from tests.bus.events import Pinged
from tests.bus.hands import make_due
from tests.threads import at_once


def fail_until_dead(handler) -> None:
    """Have all that is owed tried without a rest between."""
    for _ in range(1000):
        if not Delivery.objects.filter(dead_at=None).exists():
            return
        answer_bell(handler)
        make_due()
        Subscription.objects.update(failures=0, rests=0, rests_until=None)
    pytest.fail("still owed")


def test_many_failures_of_one_kind_are_a_count_and_the_latest_few(subscribed):
    def never(event):
        raise ValueError(f"not {event.number}")

    handler = subscribed(never, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(30)))
    fail_until_dead(handler)
    count = FailureCount.objects.get()
    assert (count.handler, count.count) == ("bus.never", 30)
    assert count.first_at <= count.last_at
    assert Failure.objects.count() == KEPT
    assert count.error == Failure.objects.latest("id").error
    assert set(Delivery.objects.values_list("signature", flat=True)) == {count.signature}


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("zero \0 byte"), r"ValueError: zero \0 byte"),
        (ValueError("half \ud800 a character"), r"ValueError: half \ud800 a character"),
        (Speechless(), "Speechless: its text raises RuntimeError"),
    ],
    ids=["a zero byte", "half a character", "no text"],
)
def test_a_failure_is_written_down_whatever_its_error_says(subscribed, error, said):
    def fail(event):
        raise error

    publish_to = subscribed(fail, Pinged)
    publish(Pinged(number=1))
    answer_bell(publish_to)
    failure = Failure.objects.get()
    assert failure.error == said
    assert "in fail" in failure.traceback


def test_a_dead_letter_whose_own_traceback_is_gone_leads_to_the_latest_of_its_kind(subscribed):
    def never(event):
        raise ValueError("no")

    handler = subscribed(never, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(KEPT + 5)))
    fail_until_dead(handler)
    for delivery in Delivery.objects.all():
        assert "ValueError: no" in journal.failures(delivery.pk)[0].traceback


def test_errors_at_other_places_of_other_classes_or_handlers_are_counted_apart():
    signatures = {
        signature_of(handler=handler, error=error, place=place)
        for handler in ("a.b", "a.c")
        for error in ("ValueError", "KeyError")
        for place in ("", "x.py:f", "x.py:g")
    }
    assert len(signatures) == 12


@pytest.mark.django_db(transaction=True)
def test_failures_written_at_once_are_all_counted():
    def write() -> None:
        for number in range(5):
            with transaction.atomic():
                write_failure(
                    delivery_id=number,
                    event_id=uuid4(),
                    handler="bus.never",
                    attempt=1,
                    error="ValueError: no",
                    signature="s",
                    traceback="...",
                )

    at_once(*[write] * 8)
    assert FailureCount.objects.get().count == 40
    assert Failure.objects.count() == failures.KEPT
