"""The circuit of a handler that only fails opens; later one delivery probes whether it works again."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from project.bus import PermanentError, publish
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.models import Event as EventRow
from project.bus.operator.status import bus_status
from project.bus.relay.scan import due_handlers
from project.bus.worker import circuit_breaker
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged, Ponged
from tests.bus.helpers import make_due, until_settled
from tests.threads import at_once


class Mailer:
    """A handler whose mail server is down or up."""

    def __init__(self) -> None:
        self.down, self.calls = True, 0
        self.handler: Any = None

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


def let_open_time_pass() -> None:
    Subscription.objects.filter(open_until__isnull=False).update(open_until=Now() - timedelta(seconds=60))


def fail_until_open(mailer: Mailer) -> None:
    for _ in range(1000):
        if Subscription.objects.filter(open_until__isnull=False).exists():
            return
        make_due()
        answer_bell(mailer.handler)
    pytest.fail("the circuit does not open")


def subscriptions():
    return Subscription.objects.filter(handler="bus.mail")


def open_for_seconds() -> float:
    until, now = subscriptions().annotate(now=Now()).values_list("open_until", "now")[0]
    return (until - now).total_seconds()


def test_twenty_failures_in_a_row_open_a_circuit_and_stop_bells_and_claims(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_open(mailer)
    assert mailer.calls == 20
    assert 20 < open_for_seconds() <= 30
    make_due()
    assert due_handlers() == []
    answer_bell(mailer.handler)
    assert mailer.calls == 20
    assert Delivery.objects.filter(dead_at=None).count() == 60
    assert list(bus_status()["handlers"]["circuit_open"]) == ["bus.mail"]


def test_a_half_open_circuit_probes_one_delivery_and_each_failed_probe_doubles_its_open_time(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_open(mailer)
    open_times = []
    for calls in range(21, 27):
        let_open_time_pass()
        make_due()
        assert [due.handler for due in due_handlers()] == ["bus.mail"]
        answer_bell(mailer.handler)
        assert mailer.calls == calls
        open_times.append(open_for_seconds())
    assert [round(seconds, -1) for seconds in open_times] == [60, 120, 240, 300, 300, 300]
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()


def test_a_successful_probe_closes_the_circuit(mailer, drain):
    publish(*(Pinged(number=number) for number in range(60)))
    fail_until_open(mailer)
    mailer.down = False
    let_open_time_pass()
    make_due()
    answer_bell(mailer.handler)
    assert mailer.calls == 21
    assert set(subscriptions().values_list("failures", "openings", "open_until")) == {(0, 0, None)}
    make_due()
    drain()
    assert Receipt.objects.count() == 60


def test_a_probe_takes_a_fresh_delivery_before_a_retry(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    fail_until_open(mailer)
    publish(Ponged(number=7))
    let_open_time_pass()
    make_due()
    mailer.down = False
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name


def test_deliveries_that_a_probe_claims_but_does_not_try_have_no_attempt_counted(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    subscriptions().update(failures=20, openings=1, open_until=Now() - timedelta(seconds=60))
    answer_bell(mailer.handler)
    assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 0, 0, 1]


def test_another_worker_probes_when_the_probing_worker_was_killed(mailer):
    publish(Pinged(number=1))
    Subscription.objects.update(failures=20, openings=1, open_until=Now() - timedelta(seconds=60))
    assert circuit_breaker.begin_probe(handler="bus.mail", seconds=2)
    assert not circuit_breaker.begin_probe(handler="bus.mail", seconds=2)
    let_open_time_pass()
    assert circuit_breaker.begin_probe(handler="bus.mail", seconds=2)


def test_a_success_resets_the_count_of_failures(mailer):
    publish(*(Pinged(number=number) for number in range(5)))
    answer_bell(mailer.handler)
    assert set(subscriptions().values_list("failures", flat=True)) == {mailer.calls}
    mailer.down = False
    publish(Ponged(number=1))
    make_due()
    answer_bell(mailer.handler)
    assert set(subscriptions().values_list("failures", "open_until")) == {(0, None)}


def test_permanent_errors_do_not_count_for_the_circuit_breaker(subscribed):
    def refuse(event):
        raise PermanentError("this event cannot be handled")

    handler = subscribed(refuse, Pinged)
    publish(*(Pinged(number=number) for number in range(30)))
    until_settled(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 30
    assert Subscription.objects.get(handler="bus.refuse").failures == 0


def test_a_release_that_cannot_decode_any_event_makes_twenty_dead_letters_and_not_a_hundred(subscribed):
    done = []

    def read(events):
        done.extend(events)

    handler = subscribed(read, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(100)))
    EventRow.objects.update(data={"number": "a number in another release"})
    answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 20
    assert Subscription.objects.filter(handler=handler.name, open_until__isnull=False).exists()

    EventRow.objects.update(data={"number": 1})  # the release is fixed
    let_open_time_pass()
    until_settled(handler)
    assert len(done) == 80


def test_undecodable_events_beside_decodable_ones_do_not_count_for_the_circuit_breaker(subscribed):
    def read(events): ...

    handler = subscribed(read, Pinged, batch=True)
    publish(*(Pinged(number=number) for number in range(60)))
    EventRow.objects.filter(data__number__gte=30).update(data={"number": "none"})
    answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 30
    assert Subscription.objects.get(handler=handler.name).failures == 0
    assert Receipt.objects.count() == 30


def test_workers_that_vanish_at_every_event_open_the_circuit_too(subscribed):
    def vanish(event): ...

    handler = subscribed(vanish, Pinged, attempts=2)
    publish(*(Pinged(number=number) for number in range(30)))
    # As vanished workers leave them: all attempts are used up and the lease has passed.
    Delivery.objects.update(attempts=2)
    make_due()
    for _ in range(30):
        answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 20


def test_a_probe_skips_undecodable_events_if_a_decodable_one_is_due(mailer):
    publish(*(Pinged(number=number) for number in range(40)))
    EventRow.objects.update(data={"number": "none"})
    publish(Ponged(number=7))
    subscriptions().update(failures=20, openings=1, open_until=Now() - timedelta(seconds=60))
    mailer.down = False
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name
    assert set(subscriptions().values_list("failures", "open_until")) == {(0, None)}
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 40


def test_a_probe_that_finds_only_events_of_a_newer_release_is_released_at_once(mailer):
    publish(*(Pinged(number=number) for number in range(60)))
    EventRow.objects.update(version=2)
    subscriptions().update(failures=20, openings=1, open_until=Now() - timedelta(seconds=60))
    publish(Ponged(number=7))
    mailer.down = False
    answer_bell(mailer.handler)
    assert open_for_seconds() <= 0
    let_open_time_pass()
    answer_bell(mailer.handler)
    assert Receipt.objects.get().event.type == Ponged.wire_name


def test_a_probe_is_held_for_the_time_limit_of_its_handler(mailer):
    publish(Pinged(number=1))
    Subscription.objects.update(failures=20, openings=1, open_until=Now() - timedelta(seconds=60))
    seen = []
    mailer.handle = lambda event: seen.append(open_for_seconds())
    answer_bell(mailer.handler)
    assert seen[0] > 30, "another worker could probe at the same time"


def test_a_handler_whose_subscription_ends_while_it_fails_is_retried_without_a_circuit(subscribed):
    def fail(event):
        Subscription.objects.filter(handler="bus.fail").delete()
        raise ConnectionError("the mail server does not answer")

    handler = subscribed(fail, Pinged, external=True)
    publish(Pinged(number=1))
    answer_bell(handler)
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.dead_at) == (1, None)
    assert not circuit_breaker.is_open(handler=handler.name)


def test_closing_a_circuit_makes_its_handler_due_again(mailer):
    publish(*(Pinged(number=number) for number in range(20)))
    fail_until_open(mailer)
    assert circuit_breaker.close(handlers=["bus.mail"]) == 1
    assert circuit_breaker.close(handlers=["bus.mail"]) == 0
    make_due()
    assert due_handlers()


@pytest.mark.django_db(transaction=True)
def test_one_of_eight_workers_gets_the_probe():
    Subscription.objects.bulk_create(
        Subscription(
            event_type=event_type,
            handler="bus.mail",
            queue="bus",
            open_until=Now() - timedelta(seconds=60),
            failures=20,
        )
        for event_type in ("a", "b", "c")
    )

    assert sum(at_once(*[lambda: circuit_breaker.begin_probe(handler="bus.mail", seconds=30)] * 8)) == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_failures_are_all_counted():
    Subscription.objects.bulk_create(
        Subscription(event_type=event_type, handler="bus.mail", queue="bus") for event_type in ("a", "b", "c")
    )

    def fail() -> None:
        for _ in range(3):
            with transaction.atomic():
                circuit_breaker.count_failure(handler="bus.mail", probe=False)

    at_once(*[fail] * 6)
    assert set(subscriptions().values_list("failures", "open_until")) == {(18, None)}
