"""Health checks: /healthz says that the process is alive, /readyz that what it needs works."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from project.bus import publish
from project.bus.models import Delivery, Subscription
from project.console import health
from project.events import OrderPlaced


@pytest.fixture(autouse=True)
def _long_timeouts(monkeypatch):
    """Set time limits that a busy machine meets."""
    monkeypatch.setattr(health, "BROKER_TIMEOUT_S", 2)
    monkeypatch.setattr(health, "DATABASE_TIMEOUT_S", 30)


@pytest.fixture
def broker(monkeypatch):
    """Make the broker answer with these queue lengths, which a test may change."""
    answer = {"users": 0, "orders": 0, "inventory": 0, "external": 0}
    monkeypatch.setattr(health, "ask_broker", lambda: answer)
    return answer


def owed(*, seconds):
    """Publish an order whose delivery to inventory has been due for this long."""
    with transaction.atomic():
        publish(OrderPlaced(order_id=uuid4(), customer_id=uuid4(), lines=[]))
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=seconds))


def test_healthz_needs_no_database(client):
    # This test has no django_db mark, so a query would fail.
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_allows_only_get(client, address):
    assert client.post(address).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_readyz_lists_all_that_works(client, broker):
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
def test_a_process_is_ready_without_a_broker(client):
    # tests/conftest.py sets a broker URL on which nothing listens.
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["broker"].startswith("does not answer")
    assert response.json()["relay"] == response.json()["workers"] == "ok", "nothing is due"


@pytest.mark.django_db(transaction=True)
def test_overdue_deliveries_without_a_bell_are_a_problem_of_the_relay(client, broker):
    owed(seconds=100)
    answer = client.get("/readyz").json()
    assert "inventory (due for 10" in answer["relay"]
    assert answer["workers"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_overdue_deliveries_with_a_bell_in_the_queue_are_a_problem_of_the_workers(client, broker):
    owed(seconds=100)
    broker["inventory"] = 1
    answer = client.get("/readyz").json()
    assert answer["relay"] == "ok"
    assert "inventory (due for 10" in answer["workers"]


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_it_is_unknown_whether_relay_or_workers_are_late(client, monkeypatch):
    monkeypatch.setattr(health, "ask_broker", lambda: "does not answer")
    owed(seconds=100)
    answer = client.get("/readyz").json()
    assert answer["relay"] == answer["workers"]
    assert "unknown without the broker" in answer["relay"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["fresh", "scheduled", "dead", "paused"])
def test_deliveries_that_need_not_be_handled_now_are_no_problem(client, broker, state):
    owed(seconds={"fresh": 1, "scheduled": -100}.get(state, 100))
    if state == "dead":
        Delivery.objects.update(dead_at=timezone.now())
    if state == "paused":
        Subscription.objects.filter(event_type=OrderPlaced.wire_name).update(paused=True)
    answer = client.get("/readyz").json()
    assert (answer["relay"], answer["workers"]) == ("ok", "ok")


@pytest.mark.django_db(transaction=True)
def test_a_process_is_not_ready_without_a_database(client, broker, monkeypatch):
    def fails():
        raise OperationalError("a secret detail")

    monkeypatch.setattr(health, "delays", fails)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "database": "does not work: OperationalError", "broker": "ok"}


@pytest.fixture
def hanging():
    """Yield a function that hangs until the test ends."""
    test_ends = threading.Event()
    yield lambda: test_ends.wait(60) and {}
    test_ends.set()
    for pool in (health._database, health._broker):
        pool.submit(dict).result(timeout=60)


@pytest.mark.parametrize(("service", "status"), [("database", 503), ("broker", 200)])
def test_a_service_that_hangs_does_not_delay_the_response(client, monkeypatch, hanging, service, status):
    monkeypatch.setattr(health, f"{service.upper()}_TIMEOUT_S", 0.2)
    for name in ("database", "broker"):
        monkeypatch.setattr(health, f"ask_{name}", hanging if name == service else dict)
    responses = [client.get("/readyz") for _ in range(6)]  # more often than there are threads to wait in
    assert {response.status_code for response in responses} == {status}
    assert {response.json()[service] for response in responses} == {"does not answer in time"}
