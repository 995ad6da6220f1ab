"""How many open orders one account may have, and how many units in them."""

from uuid import uuid4

import pytest
from django.db import connection

from orders.models import Order, OrderLine
from orders.operations import NewOrder, cancel_order, open_welcome_order, place_order, place_orders, reject_orders
from orders.operations.quotas import TooManyHeldUnits, TooManyOpenOrders
from project.errors import QuotaExceeded
from project.events import Line, OrderPlaced, StockRejected
from tests.api.clients import assert_problem, client_of, new_user
from tests.threads import at_once

ORDERS = "/api/v1/orders/"


@pytest.fixture(autouse=True)
def _quotas(settings, db, catalogue):
    settings.MAX_OPEN_ORDERS = 3
    settings.MAX_HELD_UNITS = 10
    catalogue("TEA", "CUP")


def body(*quantities):
    skus = ("TEA", "CUP")
    return {"lines": [{"sku": sku, "quantity": number} for sku, number in zip(skus, quantities, strict=False)]}


@pytest.mark.parametrize("account", [{}, {"is_staff": True}, {"is_staff": True, "is_superuser": True}])
def test_one_open_order_too_many_is_a_429_that_says_what_counts_and_what_helps(account, published):
    client = client_of(new_user(**account))
    assert [client.post(ORDERS, body(1)).status_code for _ in range(3)] == [201] * 3
    refused = client.post(ORDERS, body(1))
    problem = assert_problem(refused, 429)
    assert problem["type"] == "urn:orderly:problem:too-many-open-orders"
    for words in ("3 open orders", "placed, confirmed or backordered", "Pay for an order or cancel one"):
        assert words in problem["detail"]
    assert refused["Retry-After"] == "60"
    assert Order.objects.count() == len(published(OrderPlaced)) == 3


def test_units_of_open_orders_add_up(published):
    client = client_of(new_user())
    assert client.post(ORDERS, body(4, 2)).status_code == 201
    refused = client.post(ORDERS, body(3, 2))
    problem = assert_problem(refused, 429)
    assert problem["type"] == "urn:orderly:problem:too-many-held-units"
    for words in ("hold 6 units", "with the 5 of this one", "maximum of 10"):
        assert words in problem["detail"]
    assert refused["Retry-After"] == "60"
    assert client.post(ORDERS, body(3, 1)).status_code == 201, "exactly the maximum"
    assert Order.objects.count() == len(published(OrderPlaced)) == 2


@pytest.mark.parametrize("quantities", [(11,), (6, 5), (10_000,)])
def test_an_order_that_alone_has_too_many_units_is_a_400_because_it_can_never_be_placed(quantities):
    problem = assert_problem(client_of(new_user()).post(ORDERS, body(*quantities)), 400, "lines")
    assert problem["errors"][0]["code"] == "too_many_units"
    assert "the maximum is 10" in problem["errors"][0]["detail"]
    assert not Order.objects.exists()


def test_an_invalid_order_is_a_400_although_there_is_no_room_for_it():
    client = client_of(new_user())
    for _ in range(3):
        client.post(ORDERS, body(1))
    assert_problem(client.post(ORDERS, {"lines": [{"sku": "NONE", "quantity": 1}]}), 400, "lines[0].sku")


def test_a_cancelled_and_a_rejected_order_make_room():
    client = client_of(new_user())
    first, second, _ = [client.post(ORDERS, body(3)).json()["id"] for _ in range(3)]
    assert client.post(f"{ORDERS}{first}/cancel/", {}).status_code == 200
    assert client.post(ORDERS, body(3)).status_code == 201
    assert client.post(ORDERS, body(1)).status_code == 429
    reject_orders(rejected=[StockRejected(order_id=Order.objects.get(pk=second).pk, reason="TEA is short.")])
    assert client.post(ORDERS, body(4)).status_code == 201


@pytest.mark.parametrize(
    ("status", "makes_room"),
    [
        ("placed", False),
        ("confirmed", False),
        ("backordered", False),
        ("rejected", True),
        ("paid", True),
        ("shipped", True),
        ("returned", True),
        ("cancelled", True),
    ],
)
def test_only_unpaid_orders_count(status, makes_room):
    client = client_of(user := new_user())
    for _ in range(3):
        client.post(ORDERS, body(3))
    Order.objects.filter(customer_id=user.pk).update(status=status)
    assert client.post(ORDERS, body(10)).status_code == (201 if makes_room else 429)


def test_each_account_has_its_own_quotas():
    for _ in range(2):
        client = client_of(new_user())
        assert [client.post(ORDERS, body(3)).status_code for _ in range(4)] == [201, 201, 201, 429]


def test_the_welcome_order_is_placed_beyond_the_quotas_and_counts(settings, catalogue):
    settings.WELCOME_SKU = "HELLO"
    catalogue("HELLO")
    user = new_user()
    client = client_of(user)
    for _ in range(3):
        client.post(ORDERS, body(3))
    assert open_welcome_order(user_id=user.pk) is not None
    cancel_order(order_id=Order.objects.filter(is_welcome=False)[0].pk)
    assert client.post(ORDERS, body(1)).status_code == 429


def test_operators_place_many_orders_beyond_the_quotas(settings):
    customer = uuid4()
    order = NewOrder(customer_id=customer, lines=[Line(sku="TEA", quantity=50)])
    assert len(place_orders(orders=[order] * 20)) == 20
    with pytest.raises(TooManyOpenOrders):
        place_order(customer_id=customer, lines=[Line(sku="TEA", quantity=1)])
    settings.MAX_OPEN_ORDERS = 100
    with pytest.raises(TooManyHeldUnits):
        place_order(customer_id=customer, lines=[Line(sku="TEA", quantity=1)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("quantity", "placed"), [(1, 3), (4, 2)])
def test_fifty_orders_at_once_do_not_exceed_the_quotas(quantity, placed):
    customer = uuid4()
    lines = [Line(sku="TEA", quantity=quantity)]
    results = at_once(*[lambda: place_order(customer_id=customer, lines=lines)] * 50, expected=(QuotaExceeded,))
    assert sum(isinstance(result, Order) for result in results) == placed
    assert Order.objects.filter(customer_id=customer).count() == placed


@pytest.mark.django_db(transaction=True)
def test_fifty_requests_of_one_account_at_once_are_answered_without_a_server_error():
    users = [new_user(), new_user()]
    answers = at_once(*[lambda user=user: client_of(user).post(ORDERS, body(1)).status_code for user in users * 25])
    assert sorted(answers) == [201] * 6 + [429] * 44


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the planner of PostgreSQL")
def test_the_open_orders_of_a_customer_with_many_are_found_by_an_index(settings):
    settings.MAX_OPEN_ORDERS = 1000
    customer = uuid4()
    place_orders(orders=[NewOrder(customer_id=customer, lines=[Line(sku="TEA", quantity=1)])] * 3000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET status = 'cancelled' WHERE id <> (SELECT id FROM orders_order LIMIT 1)")
        cursor.execute("ANALYZE orders_order, orders_orderline")
    assert OrderLine.objects.count() == 3000
    with connection.execute_wrapper(explain := Explain()):
        place_order(customer_id=customer, lines=[Line(sku="TEA", quantity=1)])
    assert "orders_order_open" in explain.plan
    assert "Seq Scan" not in explain.plan


class Explain:
    """Explains the statement that counts open orders."""

    plan = ""

    def __call__(self, execute, sql, params, many, context):
        if "open_order" in sql:
            execute(f"EXPLAIN {sql}", params, many, context)
            self.plan = "\n".join(row[0] for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)
