"""The admin's lists with many rows: the same queries, by indexes, and a bounded count."""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from uuid_utils.compat import uuid7

from benchmarks.lists import load
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from orders.models import CatalogueItem, Order, OrderChange, OrderLine
from project.audit.models import Change
from project.bus.admin import tables
from project.bus.backends import backend
from project.bus.models import AuditEntry, Delivery, Event, Failure, FailureCount, Receipt, RefusedMessage, Subscription
from tests.api.clients import client_of, new_user
from users.models import MailCount, User

pytestmark = pytest.mark.django_db
postgresql_only = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="tests the plans of PostgreSQL")

ORDERS = "/admin/orders/order/"
PRODUCTS = "/admin/inventory/product/"


def fill(number: int) -> None:
    """Add this many rows to each table, lines to the first order, and receipts to the first event."""
    serial = [f"{uuid4().hex[:12]}-{n}" for n in range(number)]
    User.objects.bulk_create(User(email=f"{name}@example.org", name=f"Name {name}") for name in serial)
    MailCount.objects.bulk_create(MailCount(recipient=name, day="2026-01-01") for name in serial)
    Group.objects.bulk_create(Group(name=name) for name in serial)
    FailureCount.objects.bulk_create(FailureCount(signature=name, handler="h", error="E", count=1) for name in serial)
    RefusedMessage.objects.bulk_create(RefusedMessage(queue=name, reason="r", count=1, sample="s") for name in serial)
    AuditEntry.objects.bulk_create(
        AuditEntry(actor=name, action="pause", request={"handler": "h"}, outcome={}) for name in serial
    )
    Subscription.objects.bulk_create(Subscription(handler=name, event_type="x", queue="orders") for name in serial)
    CatalogueItem.objects.bulk_create(
        CatalogueItem(sku=name, name="Tea", price=1, currency="EUR", active=True, sequence=1) for name in serial
    )
    orders = Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in serial)
    first = Order.objects.earliest("pk")
    for order, name in [*((order, "tea") for order in orders), *((first, name) for name in serial)]:
        OrderLine.objects.create(order=order, sku=name, name="Tea", quantity=1, unit_price=1)
    changes = first.changes.count()
    OrderChange.objects.bulk_create(
        OrderChange(order=first, sequence=changes + n + 1, to_status="placed", event_id=uuid7()) for n in range(number)
    )

    products = Product.objects.bulk_create(Product(sku=name, name="Tea", price=1) for name in serial)
    places = Location.objects.bulk_create(Location(code=name, name="Here", priority=n) for n, name in enumerate(serial))
    first_product, first_place = Product.objects.earliest("pk"), Location.objects.earliest("pk")
    pairs = {(first_product, place) for place in places} | {(product, first_place) for product in products}
    stock = Stock.objects.bulk_create(Stock(product=product, location=place, on_hand=9) for product, place in pairs)
    allocations = Allocation.objects.bulk_create(
        Allocation(order_id=order.pk, state="reserved", event_id=uuid7()) for order in orders
    )
    first_allocation = Allocation.objects.earliest("pk")
    for one, allocation in [*((stock[0], row) for row in allocations[1:]), *((row, first_allocation) for row in stock)]:
        Reservation.objects.create(allocation=allocation, stock=one, quantity=1)
    Movement.objects.bulk_create(
        Movement(
            stock=one,
            kind="received",
            on_hand_delta=9,
            reserved_delta=0,
            on_hand_after=9,
            reserved_after=0,
            order_id=uuid7(),
            event_id=uuid7(),
        )
        for one in stock
    )

    events = [
        Event(id=uuid7(), type="x", subject=str(order.pk), data={"order_id": str(order.pk)}, correlation_id=uuid7())
        for order in orders
    ]
    Event.objects.bulk_create(events)
    first_event = Event.objects.earliest("pk")
    begin = Receipt.objects.count() + 1_000_000
    for n, (event, name) in enumerate([*((event, "h") for event in events), *((first_event, name) for name in serial)]):
        Delivery.objects.create(event=event, handler=name, due_at="2030-01-01T00:00Z")
        fields = {"event": event, "handler": name, "attempts": 1, "worker": "w"}
        Receipt.objects.create(delivery_id=begin + n, outcome="done", **fields)
        Failure.objects.create(
            delivery_id=begin + n, event=event, handler=name, attempt=1, error="E", signature="s", traceback="T"
        )


def queries(request: Callable[[], object]) -> list[str]:
    request()  # fills Django's caches
    with CaptureQueriesContext(connection) as captured:
        request()
    return [query["sql"] for query in captured]


def test_each_list_is_in_the_menu_and_takes_the_same_queries_with_10_rows_and_with_100(admin_client):
    models = {
        *(User, MailCount, Group, Order, CatalogueItem, Product, Location, Stock, Allocation, Reservation, Movement),
        *(Event, Delivery, Receipt, Failure, FailureCount, Subscription, RefusedMessage, AuditEntry, Change),
    }
    assert set(admin.site._registry) == models
    lists = {model: reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist") for model in models}
    menu = admin_client.get("/admin/").content.decode()
    assert [path for path in lists.values() if f'href="{path}"' not in menu] == []

    fill(10)
    few = {model: len(queries(partial(admin_client.get, path))) for model, path in lists.items()}
    fill(90)
    many = {model: len(queries(partial(admin_client.get, path))) for model, path in lists.items()}
    assert many == few
    assert max(few.values()) <= 8


@pytest.mark.parametrize("model", [Order, Product, Allocation, Event, Stock, User])
def test_a_page_takes_the_same_queries_with_few_related_rows_and_with_many(admin_client, model):
    def page() -> list[str]:
        first = model.objects.earliest("pk").pk
        path = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_change", args=[first])
        return queries(lambda: admin_client.get(path))

    fill(3)
    few = page()
    fill(30)
    assert len(page()) == len(few)


@pytest.mark.parametrize("path", ["orders/", "products/", "movements/", "events/"])
def test_a_list_of_the_api_takes_the_same_queries_with_few_rows_and_with_many(path):
    client = client_of(new_user(is_staff=True, is_superuser=True))
    fill(3)
    few = queries(lambda: client.get(f"/api/v1/{path}"))
    fill(30)
    assert len(queries(lambda: client.get(f"/api/v1/{path}"))) == len(few)


def test_each_page_of_a_list_has_the_next_rows_in_order(admin_client):
    Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(120))
    pages = [admin_client.get(ORDERS, {"p": number}).context["cl"] for number in (1, 2, 3)]
    assert [row.pk for page in pages for row in page.result_list] == list(
        Order.objects.order_by("-pk").values_list("pk", flat=True)
    )
    assert "120 orders" in admin_client.get(ORDERS).content.decode()


def test_a_page_that_does_not_exist_leads_to_the_whole_list_and_a_warning(admin_client):
    Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(60))
    for query in ("?p=4711", "?nonsense=1"):
        page = admin_client.get(ORDERS + query, follow=True).content.decode()
        assert "There is no such page or filter, so this is the whole list." in page


def test_a_table_with_many_rows_is_estimated_and_not_counted(admin_client, monkeypatch):
    monkeypatch.setattr(type(backend()), "estimated_rows", lambda self, model: 5_000_000)
    Order.objects.create(customer_id=uuid7(), currency="EUR", total=1)
    assert "about 5,000,000 orders" in admin_client.get(ORDERS).content.decode()
    assert "about" not in admin_client.get(f"{ORDERS}?status__exact=placed").context["cl"].paginator.counted[1]


@pytest.mark.parametrize("query", ["", "?status__exact=placed"])
def test_rows_are_counted_up_to_a_bound(admin_client, monkeypatch, query):
    monkeypatch.setattr(tables, "COUNTED", 70)
    monkeypatch.setattr(tables, "COUNTED_FILTERED", 70)
    # The statistics of another test may remain, because ANALYZE is not rolled back.
    monkeypatch.setattr(type(backend()), "estimated_rows", lambda self, model: -1)
    Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(120))
    answer = admin_client.get(ORDERS + query)
    assert "more than 70 orders" in answer.content.decode()
    assert answer.context["cl"].paginator.num_pages == 2


@postgresql_only
def test_a_large_table_is_estimated_but_not_a_filtered_list(admin_client, monkeypatch):
    monkeypatch.setattr(tables, "COUNTED", 70)
    Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(120))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_order")
    Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(3))
    assert "about 120 orders" in admin_client.get(ORDERS).content.decode()
    assert not any("COUNT(" in sql for sql in queries(lambda: admin_client.get(ORDERS)))
    assert "123 orders" in admin_client.get(ORDERS, {"status__exact": "placed"}).content.decode()


@postgresql_only
def test_no_list_of_orders_products_or_users_reads_a_whole_table(admin_user, admin_client, monkeypatch):
    monkeypatch.setattr(tables, "COUNTED", 1_000)
    load(orders=20_000, customers=5_000, products=5_000)
    order = Order.objects.latest("pk")
    owner, staff = client_of(User.objects.get(pk=order.customer_id)), client_of(admin_user)
    assert_by_index(admin_client, ORDERS)
    assert_by_index(admin_client, ORDERS, p="200")
    for key in (order.pk, order.customer_id, UUID(int=1)):
        assert_by_index(admin_client, ORDERS, q=str(key))
    for status in ("placed", "paid"):
        assert_by_index(admin_client, ORDERS, status__exact=status)
    assert_by_index(admin_client, f"{ORDERS}{order.pk}/change/")
    assert_by_index(admin_client, PRODUCTS)
    for term in ("SKU-77", "number 77", "nothing like it"):
        assert_by_index(admin_client, PRODUCTS, q=term)
    assert_by_index(admin_client, PRODUCTS, active__exact="0")
    assert_by_index(admin_client, "/admin/users/user/")
    for term in ("customer77@", "customer 77", str(order.customer_id)):
        assert_by_index(admin_client, "/admin/users/user/", q=term)
    assert_by_index(admin_client, "/admin/users/user/", is_staff__exact="1")
    assert_by_index(owner, "/api/v1/orders/")
    assert_by_index(staff, "/api/v1/orders/")
    assert_by_index(staff, "/api/v1/orders/", customer_id=str(order.customer_id))
    assert_by_index(client_of(), "/api/v1/products/")


LARGE = ("orders_order", "orders_orderline", "orders_orderchange", "inventory_product", "users_user")


def assert_by_index(client: Client, path: str, **query: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path, query).status_code == 200
    for sql in [entry["sql"] for entry in captured if entry["sql"].startswith("SELECT")]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        for table in LARGE:
            assert f"Seq Scan on {table}" not in plan.replace("Parallel ", ""), f"{path} {query}\n{sql}\n{plan}"
