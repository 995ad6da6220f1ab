"""Failures with the same signature are one count and the latest few tracebacks."""

from uuid import uuid4

import pytest
from django.db import transaction

from project.bus import publish
from project.bus.models import Delivery, Failure, FailureCount, Subscription
from project.bus.operator import selectors
from project.bus.worker import failures
from project.bus.worker.consumer import answer_bell
from project.bus.worker.failures import TRACEBACKS_KEPT, record_failure, signature_of
from tests.bus.events import Pinged
from tests.bus.helpers import make_due
from tests.threads import at_once


def fail_until_dead(handler) -> None:
    """Try everything that is owed until it is dead, with the circuit kept closed."""
    for _ in range(1000):
        if not Delivery.objects.filter(dead_at=None).exists():
            return
        answer_bell(handler)
        make_due()
        Subscription.objects.update(failures=0, openings=0, open_until=None)
    pytest.fail("still owed")


def test_failures_with_one_signature_are_stored_as_a_count_and_the_latest_tracebacks(subscribed):
    def never(event):
        raise ValueError(f"not {event.number}")

    handler = subscribed(never, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(30)))
    fail_until_dead(handler)
    count = FailureCount.objects.get()
    assert (count.handler, count.count) == ("bus.never", 30)
    assert count.first_at <= count.last_at
    assert Failure.objects.count() == TRACEBACKS_KEPT
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
def test_a_failure_is_recorded_with_any_error_text(subscribed, error, said):
    def fail(event):
        raise error

    handler = subscribed(fail, Pinged)
    publish(Pinged(number=1))
    answer_bell(handler)
    failure = Failure.objects.get()
    assert failure.error == said
    assert "in fail" in failure.traceback


def test_a_dead_letter_without_its_own_traceback_shows_the_latest_with_its_signature(subscribed):
    def never(event):
        raise ValueError("no")

    handler = subscribed(never, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(TRACEBACKS_KEPT + 5)))
    fail_until_dead(handler)
    for delivery in Delivery.objects.all():
        assert "ValueError: no" in selectors.failures(delivery.pk)[0].traceback


def test_a_signature_depends_on_handler_error_class_and_place():
    signatures = {
        signature_of(handler=handler, error=error, place=place)
        for handler in ("a.b", "a.c")
        for error in ("ValueError", "KeyError")
        for place in ("", "x.py:f", "x.py:g")
    }
    assert len(signatures) == 12


@pytest.mark.django_db(transaction=True)
def test_concurrently_recorded_failures_are_all_counted():
    def write() -> None:
        for number in range(5):
            with transaction.atomic():
                record_failure(
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
    assert Failure.objects.count() == failures.TRACEBACKS_KEPT
