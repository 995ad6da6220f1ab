"""publish(): what it writes, and when it refuses."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from project.bus import publish
from project.bus.context import handling
from project.bus.errors import CauseMissing, InvalidEvent, PublishedOutsideTransaction
from project.bus.models import Delivery, Event, Subscription
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged, Ponged


def ping(event): ...
def ping_too(event): ...


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused_and_writes_nothing():
    with pytest.raises(PublishedOutsideTransaction, match=r"transaction\.atomic"):
        publish(Pinged(number=1))
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_and_its_deliveries_commit_or_roll_back_with_the_transaction(subscribed):
    subscribed(ping, Pinged)

    def publish_and_fail():
        with transaction.atomic():
            publish(Pinged(number=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        publish_and_fail()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()
    with transaction.atomic():
        publish(Pinged(number=2))
    assert [(d.event.data, d.handler) for d in Delivery.objects.select_related("event")] == [
        ({"number": 2}, "bus.ping")
    ]


def test_each_active_subscriber_is_owed_one_delivery(subscribed):
    subscribed(ping, Pinged)
    subscribed(ping_too, Pinged)
    Subscription.objects.filter(handler="bus.ping_too").update(active=False)
    publish(Pinged(number=1), Pinged(number=2), Ponged(number=3))
    assert [d.handler for d in Delivery.objects.order_by("id")] == ["bus.ping", "bus.ping"]
    assert Event.objects.count() == 3


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_publishing_takes_the_same_number_of_statements_for_any_number_of_events(subscribed, count):
    subscribed(ping, Pinged)
    with CaptureQueriesContext(connection) as queries:
        publish(*(Pinged(number=number) for number in range(count)))
    assert len(queries) == {"postgresql": 1, "sqlite": 2}[connection.vendor]
    assert Delivery.objects.count() == count
    assert list(Delivery.objects.order_by("id").values_list("event__data__number", flat=True)) == list(range(count))


def test_a_stored_event_has_the_attributes_of_cloudevents(db):
    event = Pinged(number=7, sequence=3, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    publish(event)
    row = Event.objects.get()
    assert (row.id, row.type, row.version, row.subject, row.sequence) == (event.id, "tests.pinged", 1, "7", 3)
    assert (row.correlation_id, row.causation_id, row.traceparent) == (event.id, None, event.traceparent)
    assert row.data == {"number": 7}


def test_an_event_with_a_value_of_the_wrong_type_is_refused_and_the_message_names_the_field(db):
    with pytest.raises(InvalidEvent, match="number"):
        publish(Pinged(number="seven"))  # type: ignore[arg-type]
    assert not Event.objects.exists()


def test_an_event_published_by_a_handler_names_its_cause(subscribed, published):
    def answer(event):
        publish(Ponged(number=event.number))

    subscribed(ping, Ponged)
    handler = subscribed(answer, Pinged)
    first = Pinged(number=1)
    publish(first)
    answer_bell(handler)
    row = Event.objects.get(type=Ponged.wire_name)
    assert (row.causation_id, row.correlation_id) == (first.id, first.id)


def test_a_batch_handler_must_name_the_cause_of_each_event(db):
    batch = [Pinged(number=1), Pinged(number=2)]
    with handling(batch):
        with pytest.raises(CauseMissing, match=r"Ponged\(\.\.\., cause="):
            publish(Ponged(number=1))
        publish(*(Ponged(number=event.number, cause=event) for event in batch))
    causes = Event.objects.order_by("causation_id").values_list("causation_id", flat=True)
    assert list(causes) == [event.id for event in batch]


def test_a_scheduled_event_is_due_later(subscribed):
    subscribed(ping, Pinged)
    publish(Pinged(number=1), delay=timedelta(hours=1))
    publish(Pinged(number=2))
    later, now = (Delivery.objects.get(event__subject=subject).due_at for subject in "12")
    assert timedelta(minutes=59) < later - now < timedelta(minutes=61)
