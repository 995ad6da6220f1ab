"""The whole system over HTTP: races for the last units, and orders that are placed while Redis is down."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal

import httpx
import pytest
from django.db import connection

from inventory import operations as inventory
from inventory.models import Reservation, Stock
from orders import operations as orders
from orders.models import Order
from project.bus.models import Delivery, Receipt
from project.events import Line
from tests.system import eventually
from users import operations as users

PASSWORD = "correct horse battery"


@pytest.fixture
def cups(transactional_db, drain):
    """Add stock of cups, which the catalogue copy knows."""

    def cups(units: int) -> None:
        inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
        inventory.add_location(code="MAIN", name="Main store")
        inventory.receive_stock(sku="CUP", location="MAIN", quantity=units, reason="first delivery")
        drain()

    return cups


@pytest.fixture
def customer():
    """Make clients of users who registered over HTTP."""
    with ExitStack() as clients:

        def customer(web: str, email: str) -> httpx.Client:
            client = clients.enter_context(httpx.Client(base_url=f"{web}/api/v1", timeout=30))
            registered = client.post("/users/", json={"email": email, "password": PASSWORD, "name": "Ada"})
            assert registered.status_code == 201, registered.text
            token = client.post("/auth/token/", json={"email": email, "password": PASSWORD})
            assert token.status_code == 200, token.text
            client.headers["Authorization"] = f"Bearer {token.json()['access']}"
            return client

        yield customer


def place(client: httpx.Client) -> httpx.Response:
    return client.post("/orders/", json={"lines": [{"sku": "CUP", "quantity": 1}]})


def settled(client: httpx.Client, order_id: str) -> str:
    """The final status of an order."""

    def status() -> str:
        got = client.get(f"/orders/{order_id}/").json()["status"]
        return "" if got == "placed" else got

    return eventually(status, within=30, what="the order is settled")


def test_a_registered_user_gets_a_confirmed_welcome_order_in_every_way_of_registering(system, cups, customer):
    cups(10)
    system.environment["WELCOME_SKU"] = "CUP"
    system.redis()
    web = system.web()
    system.relay()
    system.worker("users,orders,inventory")
    client = customer(web, "rest@example.org")
    system.environment |= {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DJANGO_SUPERUSER_EMAIL": "root@example.org"}
    made = system.manage("createsuperuser", "--no-input")
    assert made.returncode == 0, made.stderr
    with httpx.Client(base_url=web, follow_redirects=True) as admin:
        form = admin.get("/admin/login/")
        fields = {"csrfmiddlewaretoken": form.cookies["csrftoken"]}
        login = {**fields, "username": "root@example.org", "password": PASSWORD, "next": "/admin/users/user/add/"}
        assert admin.post("/admin/login/", data=login, headers={"Referer": web}).is_success
        fields = {"csrfmiddlewaretoken": admin.cookies["csrftoken"]}
        added = admin.post(
            "/admin/users/user/add/",
            data={
                **fields,
                "email": "admin-made@example.org",
                "name": "Ada",
                "usable_password": "true",
                "password1": PASSWORD,
                "password2": PASSWORD,
            },
        )
        assert added.is_success
        assert "admin-made@example.org" in added.text, "the form was refused"
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 3, within=20, what="three welcome orders")
    (order,) = client.get("/orders/").json()["results"]
    assert order["status"] == "confirmed"
    story = system.manage("trace", order["id"])
    assert story.returncode == 0, story.stderr
    parts = (
        "users.user_created",
        "orders.open_welcome_order done",
        "inventory.stock_reserved",
        "reserved: CUP at MAIN",
    )
    for part in parts:
        assert part in story.stdout


def test_of_two_buyers_at_once_for_the_last_unit_one_is_confirmed_and_one_rejected(system, cups, customer):
    cups(1)
    system.redis()
    web = system.web()
    system.relay()
    system.worker("orders,inventory", "--concurrency", "2")
    buyers = [customer(web, f"buyer{number}@example.org") for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        placed = list(pool.map(place, buyers))
    assert [answer.status_code for answer in placed] == [201, 201]
    ends = [settled(buyer, answer.json()["id"]) for buyer, answer in zip(buyers, placed, strict=True)]
    assert sorted(ends) == ["confirmed", "rejected"]
    assert (Stock.objects.get().on_hand, Stock.objects.get().reserved) == (1, 1)


@pytest.mark.parametrize("batch", [1, 100])
def test_two_hundred_orders_at_once_for_fifty_units_confirm_exactly_fifty(system, cups, batch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer; the same on it is tests/inventory")
    cups(50)
    user = users.register_user(email="many@example.org", password=PASSWORD, name="Many")
    for _ in range(200):
        orders.place_order(customer_id=user.pk, lines=[Line(sku="CUP", quantity=1)])
    system.redis()
    system.worker(
        "orders,inventory",
        *("-I", "tests.faults.batch_points", "--concurrency", "4"),
        FAULT_BATCH=str(batch),
    )
    system.relay()
    eventually(lambda: not Order.objects.filter(status="placed").exists(), within=60, what="all are settled")
    assert Order.objects.filter(status="confirmed").count() == 50
    assert Order.objects.filter(status="rejected").count() == 150
    assert Stock.objects.get().reserved == sum(Reservation.objects.values_list("quantity", flat=True)) == 50
    if batch == 1:
        reservers = Receipt.objects.filter(handler="inventory.reserve_stock").values("worker").distinct()
        assert reservers.count() == 4, "fewer than four processes reserved"


def test_orders_placed_while_redis_is_down_are_taken_and_confirmed_when_it_starts_empty(system, cups, customer):
    cups(100)
    system.redis()
    web = system.web()
    system.relay()
    system.worker("users,orders,inventory")
    client = customer(web, "patient@example.org")
    assert settled(client, place(client).json()["id"]) == "confirmed"
    system.kill("redis")
    system.socket.unlink()
    answers = [place(client).status_code for _ in range(50)]
    assert answers == [201] * 50
    assert Order.objects.filter(status="placed").count() == 50
    system.redis()
    eventually(lambda: Order.objects.filter(status="confirmed").count() == 51, within=30, what="all are confirmed")
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()
