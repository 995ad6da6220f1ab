"""The users in deploy/redis.acl can do what the processes need, and cannot touch each other's keys."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest
import redis

from orders.models import Order
from project.console.harness import redis_server
from tests.faults.proxy import Proxy
from tests.faults.test_workers import place, unsettled
from tests.system import ROOT, System, eventually

BROKER, CACHE = "broker", "cache"


@pytest.fixture
def root(system: System) -> redis.Redis:
    """A connection that may do everything; later ones may not."""
    client = system.redis()
    client.ping()
    for line in (ROOT / "deploy" / "redis.acl").read_text().splitlines():
        if ">" in line and line.startswith("user "):
            client.execute_command("ACL", "SETUSER", *line.split()[1:])
    return client


def test_a_server_loads_the_file(tmp_path):
    command = [*redis_server.command(tmp_path / "redis.sock"), "--aclfile", str(ROOT / "deploy" / "redis.acl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            with closing(
                redis.Redis(unix_socket_path=str(tmp_path / "redis.sock"), username=BROKER, password="BROKER_PASSWORD")
            ) as client:
                eventually(lambda: server.poll() is not None or can_connect(client), within=20, what="it answers")
            assert server.poll() is None
        finally:
            server.kill()


def can_connect(client: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


def test_the_broker_user_repairs_keys_of_another_type(system, cups, root, port):
    root.execute_command("ACL", "SETUSER", "default", "off")
    system.worker("users,orders,inventory,external", name="worker")
    for key in ("orders", "_kombu.binding.orders"):
        root.set(key, "x")
    system.relay()
    place(orders_of_one=1)
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 1, within=30, what="it is confirmed")
    assert root.execute_command("ACL", "LOG") == []


@pytest.fixture
def port(system: System, root: redis.Redis) -> Iterator[int]:
    proxy = Proxy(to=lambda: system.socket)
    system.environment["BROKER_URL"] = f"redis://{BROKER}:BROKER_PASSWORD@127.0.0.1:{proxy.port}/0"
    system.environment["CACHE_URL"] = f"redis://{CACHE}:CACHE_PASSWORD@127.0.0.1:{proxy.port}/0"
    yield proxy.port
    proxy.close()


def test_relay_workers_and_web_need_no_other_rights(system, cups, root, port):
    root.execute_command("ACL", "SETUSER", "default", "off")
    system.relay()
    system.worker("users,orders,inventory,external")
    address = system.web()
    login = {"email": "nobody@example.org", "password": "wrong"}
    assert httpx.post(f"{address}/api/v1/auth/token/", json=login, trust_env=False).status_code == 401
    assert root.keys("throttles:*")
    place(orders_of_one=3)
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 3, within=20, what="3 orders confirmed")
    eventually(lambda: not unsettled(), within=20, what="no delivery is left")
    assert httpx.get(f"{address}/readyz", trust_env=False).json()["broker"] == "ok"
    assert root.execute_command("ACL", "LOG") == []


@pytest.mark.parametrize(
    ("user", "password", "command"),
    [
        (BROKER, "BROKER_PASSWORD", ("GET", "throttles:1:x")),
        (BROKER, "BROKER_PASSWORD", ("LPUSH", "throttles:1:x", "1")),
        (BROKER, "BROKER_PASSWORD", ("SADD", "throttles:1:x", "1")),
        (BROKER, "BROKER_PASSWORD", ("SADD", "orders", "1")),
        (BROKER, "BROKER_PASSWORD", ("SET", "orders", "1")),
        (BROKER, "BROKER_PASSWORD", ("LPUSH", "_kombu.binding.orders", "1")),
        (BROKER, "BROKER_PASSWORD", ("BRPOP", "_kombu.binding.orders", "1")),
        (BROKER, "BROKER_PASSWORD", ("DEL", "throttles:1:x")),
        (BROKER, "BROKER_PASSWORD", ("KEYS", "*")),
        (BROKER, "BROKER_PASSWORD", ("FLUSHALL",)),
        (BROKER, "BROKER_PASSWORD", ("CONFIG", "GET", "*")),
        (BROKER, "BROKER_PASSWORD", ("EVAL", "return 1", "0")),
        (BROKER, "BROKER_PASSWORD", ("PUBLISH", "/0.celery.pidbox", "shutdown")),
        (CACHE, "CACHE_PASSWORD", ("SET", "orders", "1")),
        (CACHE, "CACHE_PASSWORD", ("LPUSH", "orders", "1")),
        (CACHE, "CACHE_PASSWORD", ("INCRBY", "_kombu.binding.orders", "1")),
        (CACHE, "CACHE_PASSWORD", ("KEYS", "*")),
        (CACHE, "CACHE_PASSWORD", ("GET", "throttles:1:x")),
        (CACHE, "CACHE_PASSWORD", ("FLUSHDB",)),
        (CACHE, "CACHE_PASSWORD", ("ACL", "LIST")),
    ],
)
def test_no_user_can_do_more(root, port, user, password, command):
    with closing(redis.Redis(port=port, username=user, password=password)) as client:
        client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command)
