"""Whether a process lives, and whether the system around it works."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from project.bus.models import Delivery, Subscription
from project.bus.outbox import publish
from project.console import health
from project.events import OrderPlaced


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Enough for a busy machine."""
    monkeypatch.setattr(health, "PATIENCE", 2)
    monkeypatch.setattr(health, "DATABASE_PATIENCE", 30)


@pytest.fixture
def broker(monkeypatch):
    """A broker that answers what the test says."""
    answer = {"users": 0, "orders": 0, "inventory": 0, "external": 0}
    monkeypatch.setattr(health, "ask_broker", lambda: answer)
    return answer


def owed(*, seconds):
    """One order that has been due for so many seconds at inventory."""
    with transaction.atomic():
        publish(OrderPlaced(order_id=uuid4(), customer_id=uuid4(), lines=[]))
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=seconds))


def test_a_process_is_alive_without_a_database(client):
    # Without a database mark: any query would fail this test.
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_is_asked_and_not_changed(client, address):
    assert client.post(address).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_when_all_is_well_it_says_so(client, broker):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "database": "ok",
        "broker": "ok",
        "relay": "ok",
        "workers": "ok",
    }
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_it_is_ready_all_the_same(client):
    # tests/conftest.py names a socket on which nothing listens.
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["broker"].startswith("does not answer")
    assert response.json()["relay"] == response.json()["workers"] == "ok", "nothing is due"


@pytest.mark.django_db(transaction=True)
def test_work_that_is_due_for_long_and_not_rung_is_held_against_the_relay(client, broker):
    owed(seconds=100)
    answer = client.get("/readyz").json()
    assert "inventory (due for 10" in answer["relay"]
    assert answer["workers"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_bells_that_nobody_takes_are_held_against_the_workers(client, broker):
    owed(seconds=100)
    broker["inventory"] = 1
    answer = client.get("/readyz").json()
    assert answer["relay"] == "ok"
    assert "inventory (due for 10" in answer["workers"]


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_nobody_can_tell_which_of_them_lags(client, monkeypatch):
    monkeypatch.setattr(health, "ask_broker", lambda: "does not answer")
    owed(seconds=100)
    answer = client.get("/readyz").json()
    assert answer["relay"] == answer["workers"]
    assert "cannot be told" in answer["relay"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["fresh", "scheduled", "dead", "paused"])
def test_what_nobody_is_late_with_is_held_against_nobody(client, broker, state):
    owed(seconds={"fresh": 1, "scheduled": -100}.get(state, 100))
    if state == "dead":
        Delivery.objects.update(dead_at=timezone.now())
    if state == "paused":
        Subscription.objects.filter(event_type=OrderPlaced.wire_name).update(paused=True)
    answer = client.get("/readyz").json()
    assert (answer["relay"], answer["workers"]) == ("ok", "ok")


@pytest.mark.django_db(transaction=True)
def test_without_a_database_it_is_not_ready(client, broker, monkeypatch):
    def fails():
        raise OperationalError("a secret detail")

    monkeypatch.setattr(health, "delays", fails)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "database": "does not work: OperationalError", "broker": "ok"}


@pytest.fixture
def hanging():
    """A question that is not answered as long as the test lasts."""
    end = threading.Event()
    yield lambda: end.wait(60) and {}
    end.set()
    for pool in (health._database, health._broker):
        pool.submit(dict).result(timeout=60)


@pytest.mark.parametrize(("who", "status"), [("database", 503), ("broker", 200)])
def test_whoever_hangs_is_not_waited_for(client, monkeypatch, hanging, who, status):
    monkeypatch.setattr(health, f"{'DATABASE_' if who == 'database' else ''}PATIENCE", 0.2)
    for name in ("database", "broker"):
        monkeypatch.setattr(health, f"ask_{name}", hanging if name == who else dict)
    responses = [client.get("/readyz") for _ in range(6)]  # more often than there are threads to wait in
    assert {response.status_code for response in responses} == {status}
    assert {response.json()[who] for response in responses} == {"does not answer in time"}
