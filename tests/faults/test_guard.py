"""Whatever somebody puts on a queue: the worker's main process lives on, counts it, and does its work."""

import os
import random

import psutil
import pytest
import redis
from amqp.exceptions import PreconditionFailed
from celery import Celery
from django.db.models import Sum

from inventory.models import Stock
from project.bus.guard import sample_of
from project.bus.models import Delivery, RefusedMessage
from tests.faults import hostile
from tests.faults.brokers import Rabbit
from tests.faults.fuzz import mutated, mutated_amqp
from tests.faults.hostile import TASK
from tests.faults.test_workers import cups, place, unsettled
from tests.system import System, eventually

__all__ = ["cups"]

REDIS = dict(hostile.for_redis())
RABBITMQ = os.environ.get("RABBITMQ_URL", "")


@pytest.fixture
def worker(system: System, cups) -> psutil.Process:
    """The main process of a worker that has shown that it works, on a Redis."""
    system.redis()
    return working(system)


def working(system: System) -> psutil.Process:
    system.relay()
    place(orders_of_one=1)
    system.worker("inventory")
    eventually(lambda: not unsettled("inventory.reserve_stock"), within=20, what="the first order is reserved")
    return psutil.Process(system.processes["inventory"].pid)


def counted() -> int:
    return RefusedMessage.objects.aggregate(total=Sum("count"))["total"] or 0


def still_works(worker: psutil.Process, *, children: list[psutil.Process], reserved: int) -> None:
    place(orders_of_one=3)
    eventually(lambda: not unsettled("inventory.reserve_stock"), within=30, what="orders are reserved")
    assert Stock.objects.get().reserved == reserved
    assert worker.is_running()
    assert worker.status() != psutil.STATUS_ZOMBIE
    assert worker.children() == children, "the pool was not restarted either"


def test_the_corpus_has_forty_messages_and_more_for_each_broker():
    assert len(REDIS) >= 40
    assert len(dict(hostile.for_rabbitmq())) >= 40


def test_hostile_messages_on_redis_are_refused_and_counted_and_neighbours_flow(system, worker):
    children = worker.children()
    client = system.clients.enter_context(redis.Redis(unix_socket_path=str(system.socket)))
    for item in REDIS.values():
        client.lpush("inventory", item)
    eventually(lambda: counted() == len(REDIS), within=60, what="all of them are counted")
    still_works(worker, children=children, reserved=4)
    reasons = set(RefusedMessage.objects.values_list("reason", flat=True))
    assert {"not JSON", "too large", "for an unknown task", "with arguments", "compressed"} <= reasons
    assert max(len(row.sample) for row in RefusedMessage.objects.all()) <= 500
    assert all(row.sample.isascii() for row in RefusedMessage.objects.all())
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()
    assert "Traceback" not in system.log("inventory").read_text()


@pytest.mark.parametrize("command", ["shutdown", "pool_restart", "rate_limit", "revoke"])
def test_nobody_controls_a_worker_through_redis(system, worker, command):
    children = worker.children()
    broadcast(system.environment["BROKER_URL"], command)
    still_works(worker, children=children, reserved=4)


def broadcast(url: str, command: str) -> None:
    """What `celery control` does: a message to all workers, past their queues."""
    with Celery(broker=url, set_as_current=False) as app:
        app.control.broadcast(command, arguments={"task_id": "all", "task_name": TASK, "rate_limit": "1/d"})


def test_mutated_bells_on_redis_end_as_bells_or_refused(system, worker):
    children = worker.children()
    client = system.clients.enter_context(redis.Redis(unix_socket_path=str(system.socket)))
    draw = random.Random(7)
    for _ in range(2_000):
        client.lpush("inventory", mutated(hostile.encoded(hostile.bell()), draw))
    eventually(lambda: client.llen("inventory") == 0, within=60, what="all of them are taken")
    still_works(worker, children=children, reserved=4)
    eventually(lambda: counted() > 500, within=5, what="those that are none are counted")


@pytest.mark.skipif(not (RABBITMQ or os.environ.get("REQUIRE_SERVICES")), reason="RABBITMQ_URL names no RabbitMQ")
def test_hostile_messages_on_rabbitmq_are_refused_and_counted_and_neighbours_flow(system, cups):
    broker = Rabbit(system.directory)
    try:
        system.environment["BROKER_URL"] = broker.direct_url
        worker = working(system)
        children = worker.children()
        corpus = dict(hostile.for_rabbitmq())
        draw = random.Random(7)
        broadcast(broker.direct_url, "shutdown")
        with hostile.channel_of(broker) as channel:
            for message in corpus.values():
                channel.basic_publish(message, routing_key="inventory")
            eventually(lambda: counted() == len(corpus), within=60, what="all of them are counted")
            for _ in range(500):
                channel.basic_publish(mutated_amqp(draw), routing_key="inventory")
        still_works(worker, children=children, reserved=4)
        eventually(lambda: broker.waiting("inventory") == 0, within=30, what="all of them are taken")
        assert worker.children() == children
        assert "Traceback" not in system.log("inventory").read_text()
        # RabbitMQ lets nobody take a queue for one of another type.
        with hostile.channel_of(broker) as channel, pytest.raises(PreconditionFailed, match="quorum"):
            channel.queue_declare("inventory", durable=True, auto_delete=False, arguments={"x-queue-type": "classic"})
    finally:
        for name in list(system.processes):
            system.kill(name)
        broker.close()


def test_a_sample_is_short_and_printable():
    assert sample_of(b"\xff\x00" * 10_000).isascii()
    assert len(sample_of("ü" * 10_000)) <= 500
