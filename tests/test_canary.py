"""Secrets, addresses and names stay where they belong: a search through everything that a running system writes."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest
import redis
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import connection

from inventory import operations as inventory
from project.bus.models import Failure
from tests.faults.mail import ClosingController
from tests.system import eventually, free_port

#: Where each may be. A password and a token are nowhere, not even in the database.
PLACES = {
    "address": {("users_user", "email")},
    "name": {("users_user", "name")},
    "reason": {("orders_order", "reason"), ("orders_orderchange", "reason")},
}


def canary(name: str) -> str:
    """A word that is nowhere by chance. A password is unlike the other words, as it must be."""
    letters = "stuvwxyz" if name == "password" else "0123456789abcdef"
    return "".join(secrets.choice(letters) for _ in range(32))


class RefusingMailServer:
    """Refuses every recipient with an answer that repeats the address, as many servers do."""

    def __init__(self) -> None:
        self.port = free_port()
        self.refused: list[str] = []
        self.controller = ClosingController(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.refused.append(address)
        return f"550 <{address}>: no such mailbox"

    def close(self) -> None:
        self.controller.stop()


class BrokerTap:
    """Everything that clients send to a Redis server, as MONITOR tells it."""

    def __init__(self, client: "redis.Redis") -> None:
        self.lines: list[str] = []
        self._client = client
        self._monitor = client.monitor()
        self._monitor.__enter__()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(redis.RedisError, OSError, AttributeError):  # the test is over, and the connection closed
            while True:
                with suppress(ValueError):  # a command that redis-py cannot read
                    self.lines.append(str(self._monitor.next_command()["command"]))

    def kept(self) -> Iterator[str]:
        """The keys and values that the server holds now."""
        for key in self._client.scan_iter():
            yield f"{key!r} {self._client.dump(key)!r}"


def places_in_the_database(words: dict[str, str]) -> dict[str, set[tuple[str, str]]]:
    """The tables and columns in which each word is."""
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in words}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    for name, word in words.items():
                        if word in text_of(value):
                            found[name].add((table, column))
    return found


def text_of(value: Any) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, (bytes, memoryview)) else str(value)


@pytest.fixture
def mail_server() -> Iterator[RefusingMailServer]:
    with closing(RefusingMailServer()) as server:
        yield server


def use_the_api(web: str, *, account: dict[str, str], words: dict[str, str]) -> dict[str, str]:
    """Do as customers do, with their mistakes. Return the tokens' signatures."""
    email, password = account["email"], account["password"]
    with httpx.Client(base_url=f"{web}/api/v1", timeout=30, trust_env=False) as client:
        registered = client.post("/users/", json=account)
        assert registered.status_code == 201, registered.text
        client.post("/users/", json=account | {"password": words["wrong"]})
        assert client.post("/auth/token/", json={"email": email, "password": words["wrong"]}).status_code == 401
        tokens = client.post("/auth/token/", json={"email": email, "password": password}).json()
        client.get("/orders/", headers={"Authorization": f"Bearer {tokens['access']}x"})
        client.post("/auth/token/refresh/", json={"refresh": f"{tokens['refresh']}x"})
        client.get("/products/", params={"email": email, "name": words["name"]})
        client.headers["Authorization"] = f"Bearer {tokens['access']}"
        placed = client.post("/orders/", json={"lines": [{"sku": "CUP", "quantity": 1}]})
        assert placed.status_code == 201, placed.text
        order = f"/orders/{placed.json()['id']}"
        eventually(lambda: client.get(f"{order}/").json()["status"] == "confirmed", within=30, what="confirmed")
        assert client.post(f"{order}/cancel/", json={"reason": words["reason"]}).status_code == 200
    return {name: token.rpartition(".")[2] for name, token in tokens.items()}


def use_the_admin(web: str, *, account: dict[str, str], words: dict[str, str]) -> None:
    """Fail to log in."""
    with httpx.Client(base_url=web, timeout=30, trust_env=False) as admin:
        form = admin.get("/admin/login/")
        login = {"csrfmiddlewaretoken": form.cookies["csrftoken"], "username": account["email"]}
        admin.post("/admin/login/", data=login | {"password": words["wrong"]}, headers={"Referer": web})
        admin.get("/admin/users/user/", params={"q": account["email"]})


@pytest.fixture
def stock(transactional_db, drain) -> None:
    """Nine cups, which the catalogue knows."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
    inventory.add_location(code="MAIN", name="Main store")
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=9, reason="first delivery")
    drain()


def test_a_secret_an_address_and_a_name_are_nowhere_but_in_their_columns(system, stock, mail_server):
    words = {name: canary(name) for name in ("address", "name", "reason", "password", "wrong", "key", "mailpassword")}
    account = {"email": f"{words['address']}@example.org", "password": words["password"], "name": words["name"]}
    system.environment["SECRET_KEY"] = words["key"] + secrets.token_hex(32)
    system.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{mail_server.port}"
    # The cache shares the server, so that the tap hears both.
    system.environment["CACHE_URL"] = f"redis+socket://{system.socket}"
    broker = BrokerTap(system.redis())
    web = system.web()
    system.relay()
    system.worker("users,orders,inventory,external")
    words |= use_the_api(web, account=account, words=words)
    use_the_admin(web, account=account, words=words)
    eventually(lambda: mail_server.refused, within=30, what="a mail is refused")
    eventually(lambda: Failure.objects.filter(handler__startswith="users.email_"), within=30, what="a failure is kept")
    # A server that takes no passwords: what fails now has ours at hand.
    system.terminate("users,orders,inventory,external")
    mail_url = f"smtp://mailer:{words['mailpassword']}@127.0.0.1:{mail_server.port}"
    system.worker("external", EMAIL_URL=mail_url)
    before = Failure.objects.count()
    second = account | {"email": f"second{account['email']}"}
    assert httpx.post(f"{web}/api/v1/users/", json=second, timeout=30, trust_env=False).status_code == 201
    eventually(lambda: Failure.objects.count() > before, within=30, what="another failure is kept")

    assert places_in_the_database(words) == {name: PLACES.get(name, set()) for name in words}
    logs = {log.name: log.read_text(errors="replace") for log in system.directory.rglob("*.log")}
    assert {"web.log", "relay.log", "external.log"} <= logs.keys()
    for name, word in words.items():
        assert [log for log, text in logs.items() if word in text] == [], f"the {name} is in a log"
        assert not [line for line in broker.lines if word in line], f"the {name} was sent to the broker"
        assert not [entry for entry in broker.kept() if word in entry], f"the {name} is kept by the broker"
    heard = " ".join(line.split()[0].upper() for line in broker.lines)
    assert "LPUSH" in heard
    assert "INCRBY" in heard
