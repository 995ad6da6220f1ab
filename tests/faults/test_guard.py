"""Hostile messages on a queue: the worker's main process survives, counts them, and does its work."""

import random

import psutil
import pytest
from amqp.exceptions import PreconditionFailed
from celery import Celery
from django.db.models import Sum

from inventory.models import Stock
from project.bus.guard.guard import sample
from project.bus.models import Delivery, RefusedMessage
from tests.faults import hostile
from tests.faults.brokers import lift_bounds
from tests.faults.fuzz import mutate, mutate_amqp
from tests.faults.test_workers import place, unsettled
from tests.system import System, eventually

REDIS = dict(hostile.redis_corpus())


@pytest.fixture
def broker(system: System):
    """An empty Redis, without bounds."""
    client = system.redis()
    lift_bounds(client)
    return client


@pytest.fixture
def worker(system: System, broker, cups) -> psutil.Process:
    """The main process of a worker that has already handled an order from that Redis."""
    return working(system)


def working(system: System) -> psutil.Process:
    system.relay()
    place(orders_of_one=1)
    system.worker("inventory")
    eventually(lambda: not unsettled("inventory.reserve_stock"), within=20, what="the first order is reserved")
    return psutil.Process(system.processes["inventory"].pid)


def counted() -> int:
    return RefusedMessage.objects.aggregate(total=Sum("count"))["total"] or 0


def still_works(worker: psutil.Process, *, children: list[psutil.Process]) -> None:
    place(orders_of_one=3)
    eventually(lambda: not unsettled("inventory.reserve_stock"), within=30, what="orders are reserved")
    assert Stock.objects.get().reserved == 4
    assert worker.is_running()
    assert worker.status() != psutil.STATUS_ZOMBIE
    assert worker.children() == children, "the pool was not restarted either"


def test_the_corpus_has_forty_messages_and_more_for_each_broker():
    assert len(REDIS) >= 40
    assert len(dict(hostile.rabbitmq_corpus())) >= 40


def test_hostile_messages_on_redis_are_refused_and_counted_and_neighbours_flow(system, broker, worker):
    children = worker.children()
    for item in REDIS.values():
        broker.lpush("inventory", item)
    eventually(lambda: counted() == len(REDIS), within=60, what="all of them are counted")
    still_works(worker, children=children)
    reasons = set(RefusedMessage.objects.values_list("reason", flat=True))
    assert {"not JSON", "too large", "for an unknown task", "with arguments", "compressed"} <= reasons
    assert max(len(row.sample) for row in RefusedMessage.objects.all()) <= 500
    assert all(row.sample.isascii() for row in RefusedMessage.objects.all())
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()
    assert "Traceback" not in system.log("inventory").read_text()


def test_a_worker_cannot_be_controlled_through_redis(system, broker, worker):
    children = worker.children()
    assert (broker.pubsub_channels(), broker.pubsub_numpat()) == ([], 0), "a worker listens for broadcasts"
    broadcast_shutdown(system.environment["BROKER_URL"])
    still_works(worker, children=children)


def broadcast_shutdown(url: str) -> None:
    """Send what `celery control shutdown` sends: a message to all workers, past their queues."""
    with Celery(broker=url, set_as_current=False) as app:
        app.control.broadcast("shutdown")


def test_mutated_bells_on_redis_are_answered_or_refused(broker, worker):
    children = worker.children()
    draw = random.Random(7)
    for _ in range(2_000):
        broker.lpush("inventory", mutate(hostile.encoded(hostile.bell()), draw))
    eventually(lambda: broker.llen("inventory") == 0, within=60, what="the queue is empty")
    still_works(worker, children=children)
    eventually(lambda: counted() > 500, within=5, what="messages that are not bells are counted")


def test_hostile_messages_on_rabbitmq_are_refused_and_counted_and_neighbours_flow(rabbit, system, cups):
    system.environment["BROKER_URL"] = rabbit.direct_url
    worker = working(system)
    children = worker.children()
    corpus = dict(hostile.rabbitmq_corpus())
    draw = random.Random(7)
    broadcast_shutdown(rabbit.direct_url)
    with hostile.open_channel(rabbit) as channel:
        for message in corpus.values():
            channel.basic_publish(message, routing_key="inventory")
        eventually(lambda: counted() == len(corpus), within=60, what="all of them are counted")
        for _ in range(500):
            channel.basic_publish(mutate_amqp(draw), routing_key="inventory")
    still_works(worker, children=children)
    eventually(lambda: rabbit.queue_length("inventory") == 0, within=30, what="the queue is empty")
    assert worker.children() == children
    assert "Traceback" not in system.log("inventory").read_text()
    # RabbitMQ refuses to redeclare a queue with another type.
    with hostile.open_channel(rabbit) as channel, pytest.raises(PreconditionFailed, match="quorum"):
        channel.queue_declare("inventory", durable=True, auto_delete=False, arguments={"x-queue-type": "classic"})


def test_a_sample_is_short_and_printable():
    assert sample(b"\xff\x00" * 10_000).isascii()
    assert len(sample("ü" * 10_000)) <= 500
