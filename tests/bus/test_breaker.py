"""A handler that only fails is left to rest, then tried with one delivery."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from project.bus import breaker
from project.bus.consumer import PermanentError, answer_bell
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.models import Event as EventRow
from project.bus.outbox import publish
from project.bus.relay import due_handlers
from project.bus.status import bus_status
from tests.bus.events import Pinged, Ponged
from tests.bus.hands import make_due, until_settled
from tests.threads import at_once


class Mailer:
    """A handler whose mail server is away, or not."""

    def __init__(self) -> None:
        self.down, self.calls = True, 0

    def handle(self, event):
        self.calls += 1
        if self.down:
            raise ConnectionError("the mail server does not answer")


@pytest.fixture
def mailer(subscribed):
    mailer = Mailer()

    def mail(event):
        mailer.handle(event)

    mailer.handler = subscribed(mail, Pinged, Ponged, external=True, attempts=50)
    return mailer


def rest_over() -> None:
    Subscription.objects.filter(rests_until__isnull=False).update(rests_until=Now() - timedelta(seconds=60))


def fail_until_it_rests(mailer: Mailer) -> None:
    for _ in range(1000):
        if Subscription.objects.filter(rests_until__isnull=False).exists():
            return
        make_due()
        answer_bell(mailer.handler)
    pytest.fail("it does not rest")


def of_mail():
    return Subscription.objects.filter(handler="bus.mail")


def rest_in_seconds() -> float:
    until, now = of_mail().annotate(now=Now()).values_list("rests_until", "now")[0]
    return (until - now).total_seconds()


def test_after_twenty_failures_in_a_row_a_handler_rests_and_is_neither_rung_nor_given_anything(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_it_rests(mailer)
    assert mailer.calls == 20
    assert 20 < rest_in_seconds() <= 30
    make_due()
    assert due_handlers() == []
    answer_bell(mailer.handler)
    assert mailer.calls == 20
    assert Delivery.objects.filter(dead_at=None).count() == 60
    assert list(bus_status()["handlers"]["resting"]) == ["bus.mail"]


def test_when_the_rest_is_over_one_delivery_is_tried_and_its_failure_makes_the_next_rest_twice_as_long(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_it_rests(mailer)
    rests = []
    for calls in range(21, 27):
        rest_over()
        make_due()
        assert [due.handler for due in due_handlers()] == ["bus.mail"]
        answer_bell(mailer.handler)
        assert mailer.calls == calls
        rests.append(rest_in_seconds())
    assert [round(rest, -1) for rest in rests] == [60, 120, 240, 300, 300, 300]
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()


def test_a_trial_that_succeeds_sets_the_handler_to_work_again(mailer, drain):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_it_rests(mailer)
    mailer.down = False
    rest_over()
    make_due()
    answer_bell(mailer.handler)
    assert mailer.calls == 21
    assert set(of_mail().values_list("failures", "rests", "rests_until")) == {(0, 0, None)}
    make_due()
    drain()
    assert Receipt.objects.count() == 60


def test_a_trial_takes_a_fresh_delivery_before_one_that_failed(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    fail_until_it_rests(mailer)
    publish(Ponged(number=7))
    rest_over()
    make_due()
    mailer.down = False
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name


def test_what_a_trial_does_not_try_counts_as_never_claimed(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    of_mail().update(failures=20, rests=1, rests_until=Now() - timedelta(seconds=60))
    answer_bell(mailer.handler)
    assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]


def test_a_trial_whose_worker_is_killed_is_followed_by_another(mailer):
    publish(Pinged(number=1))
    Subscription.objects.update(failures=20, rests=1, rests_until=Now() - timedelta(seconds=60))
    assert breaker.take_trial(handler="bus.mail", seconds=2)
    assert not breaker.take_trial(handler="bus.mail", seconds=2)
    rest_over()
    assert breaker.take_trial(handler="bus.mail", seconds=2)


def test_a_success_between_makes_the_count_begin_anew(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    answer_bell(mailer.handler)
    assert set(of_mail().values_list("failures", flat=True)) == {mailer.calls}
    mailer.down = False
    publish(Ponged(number=1))
    make_due()
    answer_bell(mailer.handler)
    assert set(of_mail().values_list("failures", "rests_until")) == {(0, None)}


def test_an_event_that_no_retry_can_help_is_nothing_for_the_breaker(subscribed):
    def refuse(event):
        raise PermanentError("such an event cannot be handled")

    handler = subscribed(refuse, Pinged)
    publish(*(Pinged(number=number) for number in range(30)))
    until_settled(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 30
    assert Subscription.objects.get(handler="bus.refuse").failures == 0


def test_a_release_that_can_read_no_event_makes_twenty_dead_letters_and_not_a_hundred(subscribed):
    done = []

    def read(events):
        done.extend(events)

    handler = subscribed(read, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(100)))
    EventRow.objects.update(data={"number": "what another release takes for one"})
    answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 20
    assert Subscription.objects.filter(handler=handler.name, rests_until__isnull=False).exists()

    EventRow.objects.update(data={"number": 1})  # the release is mended
    rest_over()
    until_settled(handler)
    assert len(done) == 80


def test_events_that_cannot_be_read_among_others_that_can_say_nothing_of_the_handler(subscribed):
    def read(events): ...

    handler = subscribed(read, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(60)))
    EventRow.objects.filter(data__number__gte=30).update(data={"number": "none"})
    answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 30
    assert Subscription.objects.get(handler=handler.name).failures == 0
    assert Receipt.objects.count() == 30


def test_a_handler_whose_workers_vanish_at_every_event_rests_too(subscribed):
    def vanish(event): ...

    handler = subscribed(vanish, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(30)))
    # As their workers left them: claimed as often as may be, and the lease is over.
    Delivery.objects.update(attempts=2)
    make_due()
    for _ in range(30):
        answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 20


def test_a_trial_passes_by_events_that_cannot_be_read_if_one_can(mailer):
    publish(*(Pinged(number=number) for number in range(40)))
    EventRow.objects.update(data={"number": "none"})
    publish(Ponged(number=7))
    of_mail().update(failures=20, rests=1, rests_until=Now() - timedelta(seconds=60))
    mailer.down = False
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name
    assert set(of_mail().values_list("failures", "rests_until")) == {(0, None)}
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 40


def test_a_trial_that_finds_only_what_a_newer_release_knows_holds_nobody_up(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    EventRow.objects.update(version=2)
    of_mail().update(failures=20, rests=1, rests_until=Now() - timedelta(seconds=60))
    publish(Ponged(number=7))
    mailer.down = False
    answer_bell(mailer.handler)
    assert rest_in_seconds() <= 0
    rest_over()
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name


def test_a_trial_lasts_as_long_as_its_handler_may_take(mailer):
    publish(Pinged(number=1))
    Subscription.objects.update(failures=20, rests=1, rests_until=Now() - timedelta(seconds=60))
    seen = []
    mailer.handle = lambda event: seen.append(rest_in_seconds())
    answer_bell(mailer.handler)
    assert seen[0] > 30, "another worker could have a trial of its own meanwhile"


def test_a_person_can_end_a_rest(mailer):
    publish(*(Pinged(number=number) for number in range(20)))
    fail_until_it_rests(mailer)
    assert breaker.close(handlers=["bus.mail"]) == 1
    assert breaker.close(handlers=["bus.mail"]) == 0
    make_due()
    assert due_handlers()


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_one_gets_the_trial():
    Subscription.objects.bulk_create(
        Subscription(
            event_type=event_type,
            handler="bus.mail",
            queue="bus",
            rests_until=Now() - timedelta(seconds=60),
            failures=20,
        )
        for event_type in ("a", "b", "c")
    )

    assert sum(at_once(*[lambda: breaker.take_trial(handler="bus.mail", seconds=30)] * 8)) == 1


@pytest.mark.django_db(transaction=True)
def test_failures_that_are_counted_at_once_are_all_counted():
    Subscription.objects.bulk_create(
        Subscription(event_type=event_type, handler="bus.mail", queue="bus") for event_type in ("a", "b", "c")
    )

    def fail() -> None:
        for _ in range(3):
            with transaction.atomic():
                breaker.count_failure(handler="bus.mail", trial=False)

    at_once(*[fail] * 6)
    assert set(of_mail().values_list("failures", "rests_until")) == {(18, None)}


#: Runs of failures, most of them long enough that two make the handler rest, and other steps between.
STEPS = st.lists(st.tuples(st.sampled_from(["fail", "succeed", "rest is over"]), st.integers(1, 25)), max_size=12).map(
    lambda runs: [step for step, times in runs for _ in range(times if step == "fail" else 1)]
)


class TestTheBreakerIsThatOfAModel(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    @example(["fail"] * 20 + ["rest is over", "fail", "rest is over", "succeed"])
    def test_over_any_steps(self, steps):
        """The model: failures and rests in a row, and whether it rests; a step that cannot come is passed over."""
        Subscription.objects.create(event_type="a", handler="bus.mail", queue="bus")
        failures = rests = 0
        state = "closed"
        for step in steps:
            trial = state == "half-open" and breaker.take_trial(handler="bus.mail", seconds=30)
            if step == "rest is over" and state == "open":
                rest_over()
                state = "half-open"
            elif step == "fail" and state != "open":
                assert trial == (state == "half-open")
                breaker.count_failure(handler="bus.mail", trial=trial)
                failures += 1
                if trial or failures >= 20:
                    rests, state = rests + 1, "open"
            elif step == "succeed" and state != "open":
                breaker.close(handlers=["bus.mail"])
                failures = rests = 0
                state = "closed"
            elif trial:
                rest_over()
            row = of_mail().get()
            assert (row.failures, row.rests, row.rests_until is None) == (failures, rests, state == "closed")
