"""Doorbell: bells in the queues of Redis and RabbitMQ."""

import pytest
from celery import Celery, current_app
from django.db import transaction
from kombu import Queue

from project.bus import publish
from project.bus.errors import QueueUnavailable
from project.bus.relay.broker import Doorbell
from project.bus.relay.relay import Relay
from project.bus.relay.scan import DueHandler
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.system import eventually


def ping(event): ...


@pytest.fixture
def broker(system, monkeypatch):
    """An empty Redis that the Celery app uses."""
    monkeypatch.setattr(current_app.conf, "broker_url", system.environment["BROKER_URL"])
    return system.redis()


def poll_once(app: Celery) -> list[DueHandler]:
    """Poll as a relay that has just started."""
    relay = Relay(app)
    try:
        return relay.poll()
    finally:
        relay._doorbell.close()


def test_a_bell_carries_no_data(broker, subscribed):
    subscribed(ping, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1234567))
    poll_once(current_app)
    (message,) = broker.lrange("bus", 0, -1)
    assert b"bus.ping" in message
    assert b"1234567" not in message


def test_a_missing_queue_has_no_bells(broker):
    bells = Doorbell(current_app)
    assert [bells.waiting("nothing-here") for _ in range(3)] == [0, 0, 0]
    bells.close()


def test_a_queue_that_cannot_be_rung_is_reported_once_until_it_can_be(broker, caplog):
    bells = Doorbell(current_app)
    broker.lpush("orders", "a bell")
    for _ in range(2):
        broker.execute_command("ACL", "SETUSER", "default", "-llen")
        for _ in range(3):
            with pytest.raises(QueueUnavailable, match=r"^orders: "):
                bells.waiting("orders")
        broker.execute_command("ACL", "SETUSER", "default", "+llen")
        assert bells.waiting("orders") == 1
    bells.close()
    assert len([text for text in caplog.messages if text.startswith("the queue orders cannot be rung")]) == 2


@pytest.mark.django_db(transaction=True)
def test_bells_are_counted_and_consumed_on_rabbitmq(subscribed, rabbit):
    seen = []

    def hear(event):
        seen.append(event.number)

    handler = subscribed(hear, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    app = Celery("rabbit", broker=rabbit.direct_url, set_as_current=False)
    app.conf.task_queues = [Queue("bus", routing_key="bus")]
    bells = Doorbell(app)
    with app.connection_for_write() as connected:
        queue = Queue("bus", channel=connected.default_channel)
        queue.declare()
        assert bells.waiting("a-queue-that-is-missing") == 0
        assert bells.waiting("bus") == 0
        assert poll_once(app)
        eventually(lambda: bells.waiting("bus") == 1, within=10, what="a bell waits")
        assert poll_once(app), "it is still due"
        assert bells.waiting("bus") == 1, "no second bell for one due handler"
        message = eventually(queue.get, within=10, what="the bell")
        assert message is not None
        assert message.headers["task"] == handler.name
        message.ack()
    bells.close()
    answer_bell(handler)
    assert seen == [1]


def test_a_doorbell_reconnects_after_rabbitmq_closes_its_connections(rabbit):
    bells = Doorbell(Celery("rabbit", broker=rabbit.direct_url, set_as_current=False))
    assert bells.waiting("bus") == 0
    rabbit.close_connections()

    def noticed() -> bool:
        try:
            bells.waiting("bus")
        except bells.errors:
            return True
        return False

    eventually(noticed, within=10, what="the connection is closed")
    bells.close()
    assert bells.waiting("bus") == 0, "the next question opens a new connection"
    bells.close()
