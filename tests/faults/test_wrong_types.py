"""Somebody who may write to the broker puts a key of another type in the place of a queue: the work goes on."""

import httpx
import pytest
import redis

from orders.models import Order
from tests.faults.test_workers import place, unsettled
from tests.system import System, eventually

KINDS = {
    "a string": ("SET", "x"),
    "a set": ("SADD", "x"),
    "a sorted set": ("ZADD", "1", "x"),
    "a hash": ("HSET", "x", "y"),
    "a stream": ("XADD", "*", "x", "y"),
}
QUEUES = ("users", "orders", "inventory", "external")
#: kombu's key for the messages of a higher priority, which no bell has.
PRIORITY = "\x06\x169"


def spoil(broker: redis.Redis, kind: str, key: str) -> None:
    command, *values = KINDS[kind]
    broker.delete(key)
    broker.execute_command(command, key, *values)


def settled(*, confirmed: int) -> None:
    eventually(lambda: Order.objects.filter(status="confirmed").count() == confirmed, within=20, what="it is confirmed")
    eventually(lambda: not unsettled(), within=20, what="no delivery is left")


def log_of(system: System) -> list[str]:
    return [line for name in ("relay", "worker") for line in system.log(name).read_text().splitlines()]


def test_a_queue_of_another_type_is_repaired_and_its_work_done(system, cups):
    broker = system.redis()
    system.relay()
    system.worker(",".join(QUEUES), name="worker")
    for number, kind in enumerate(KINDS, start=1):
        for queue in QUEUES:
            spoil(broker, kind, queue)
            spoil(broker, kind, queue + PRIORITY)
        place(orders_of_one=1)
        settled(confirmed=number)
    lines = log_of(system)
    assert not [line for line in lines if "Traceback" in line or "does not answer" in line]
    assert len([line for line in lines if "has another type than a queue" in line]) in range(4, 17)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.split()[-1])
def test_a_worker_starts_although_keys_have_another_type(system, cups, kind):
    broker = system.redis()
    for queue in QUEUES:
        spoil(broker, kind, queue)
        for key in ("_kombu.binding.", "_kombu.binding_permanent."):
            spoil(broker, "a string" if kind == "a set" else kind, key + queue)
    system.worker(",".join(QUEUES), name="worker")
    system.relay()
    place(orders_of_one=1)
    settled(confirmed=1)
    assert "Traceback" not in system.log("worker").read_text()


def test_a_key_that_may_not_be_deleted_is_reported_once_and_readyz_names_its_queue(system, cups):
    broker = system.redis()
    system.relay()
    system.worker(",".join(QUEUES), name="worker")
    address = system.web()
    broker.execute_command("ACL", "SETUSER", "default", "-del")
    spoil_as = redis.Redis(unix_socket_path=str(system.socket))
    spoil_as.set("orders", "x")
    place(orders_of_one=1)
    report = eventually(
        lambda: "refuses" in (text := httpx.get(f"{address}/readyz", trust_env=False).json()["broker"]) and text,
        within=20,
        what="readyz says it",
    )
    assert report == "refuses the use of orders: see the log"
    assert "cannot be used" in system.manage("bus", "status").stdout
    eventually(lambda: "may not be deleted" in system.log("worker").read_text(), within=20, what="the worker says it")
    spoil_as.execute_command("ACL", "SETUSER", "default", "+del")
    settled(confirmed=1)
    assert len([line for line in log_of(system) if "may not be deleted" in line]) <= 3
    assert not [line for line in log_of(system) if "Traceback" in line]
    spoil_as.close()
