"""Placing orders, through the operation and over HTTP."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import operations
from orders.models import Order, OrderChange, OrderLine
from orders.operations import placing
from project.events import Line, OrderPlaced, UserCreated
from tests.api.clients import assert_problem, client_of, new_user

pytestmark = pytest.mark.django_db
ORDERS = "/api/v1/orders/"


def test_placed_order_is_stored_with_lines_and_history_and_announced(catalogue, published):
    catalogue("TEA", price="2.50", name="Green tea")
    catalogue("CUP", price="7.05")
    customer_id = uuid4()
    lines = [Line(sku="TEA", quantity=3), Line(sku="CUP", quantity=1)]
    order = operations.place_order(customer_id=customer_id, lines=lines)
    stored = Order.objects.get()
    assert stored == order
    assert (stored.status, stored.version, stored.currency, stored.total) == ("placed", 1, "EUR", Decimal("14.55"))
    assert stored.pk.version == 7
    assert [(line.sku, line.name, line.quantity, line.unit_price) for line in stored.lines.order_by("id")] == [
        ("TEA", "Green tea", 3, Decimal("2.50")),
        ("CUP", "Tea", 1, Decimal("7.05")),
    ]
    (change,) = stored.changes.all()
    assert (change.sequence, change.from_status, change.to_status, change.event_id) == (1, "", "placed", None)
    (event,) = published(OrderPlaced)
    assert (event.order_id, event.customer_id, event.lines, event.sequence) == (order.pk, customer_id, lines, 1)


def test_order_keeps_its_price_when_the_product_price_rises(catalogue, place):
    order = place()
    catalogue("TEA", price="99.00", sequence=2)
    assert order.lines.get().unit_price == Decimal("2.50")
    assert place().total == Decimal("198.00")


def test_placing_over_http_returns_the_order_and_its_location(catalogue):
    catalogue("TEA", name="Green tea")
    client = client_of(user := new_user())
    response = client.post(ORDERS, {"lines": [{"sku": "TEA", "quantity": 2}]})
    assert response.status_code == 201
    order = response.json()
    assert response["Location"] == f"http://testserver{ORDERS}{order['id']}/"
    assert order["status"] == "placed"
    assert order["customer_id"] == str(user.pk)
    assert (order["total"], order["currency"]) == ("5.00", "EUR")
    assert order["lines"] == [{"sku": "TEA", "name": "Green tea", "quantity": 2, "unit_price": "2.50", "price": "5.00"}]
    assert client.get(response["Location"]).json() == order


TEA = {"sku": "TEA", "quantity": 1}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, ["lines"], id="no lines"),
        pytest.param({"lines": []}, ["lines"], id="empty lines"),
        pytest.param({"lines": None}, ["lines"], id="null lines"),
        pytest.param({"lines": "TEA"}, ["lines"], id="lines are a string"),
        pytest.param({"lines": {"sku": "TEA", "quantity": 1}}, ["lines"], id="lines are an object"),
        pytest.param({"lines": ["TEA"]}, ["lines[0]"], id="a line is a string"),
        pytest.param({"lines": [TEA, None]}, ["lines[1]"], id="a line is null"),
        pytest.param({"lines": [TEA, [TEA]]}, ["lines[1]"], id="a line is a list"),
        pytest.param({"lines": [{"quantity": 1}]}, ["lines[0].sku"], id="no SKU"),
        pytest.param({"lines": [{"sku": "TEA"}]}, ["lines[0].quantity"], id="no quantity"),
        pytest.param({"lines": [TEA | {"sku": "NONE"}]}, ["lines[0].sku"], id="unknown SKU"),
        pytest.param({"lines": [TEA | {"sku": "tea"}]}, ["lines[0].sku"], id="SKU in other case"),
        pytest.param({"lines": [TEA | {"sku": ""}]}, ["lines[0].sku"], id="empty SKU"),
        pytest.param({"lines": [TEA | {"sku": 1}]}, ["lines[0].sku"], id="SKU is a number"),
        pytest.param({"lines": [TEA | {"sku": True}]}, ["lines[0].sku"], id="SKU is true"),
        pytest.param({"lines": [TEA | {"sku": ["TEA"]}]}, ["lines[0].sku"], id="SKU is a list"),
        pytest.param({"lines": [TEA | {"sku": "T\0A"}]}, ["lines[0].sku"], id="SKU with a NUL"),
        pytest.param({"lines": [TEA | {"sku": "x" * 65}]}, ["lines[0].sku"], id="SKU too long"),
        pytest.param({"lines": [TEA | {"sku": "OLD"}]}, ["lines[0].sku"], id="not for sale"),
        pytest.param({"lines": [TEA, {"sku": "USD", "quantity": 1}]}, ["lines[1].sku"], id="mixed currencies"),
        pytest.param({"lines": [TEA, TEA]}, ["lines[1].sku"], id="the same SKU twice"),
        pytest.param({"lines": [TEA, TEA | {"sku": " TEA "}]}, ["lines[1].sku"], id="the same SKU with spaces"),
        pytest.param({"lines": [TEA, TEA, TEA]}, ["lines[1].sku", "lines[2].sku"], id="the same SKU thrice"),
        pytest.param({"lines": [TEA] * 101}, ["lines"], id="101 lines"),
        pytest.param({"lines": [TEA] * 10_000}, ["lines"], id="10,000 lines"),
        pytest.param({"lines": [TEA | {"quantity": 0}]}, ["lines[0].quantity"], id="zero units"),
        pytest.param({"lines": [TEA | {"quantity": -1}]}, ["lines[0].quantity"], id="negative quantity"),
        pytest.param({"lines": [TEA | {"quantity": 10_001}]}, ["lines[0].quantity"], id="10,001 units"),
        pytest.param({"lines": [TEA | {"quantity": 10**12}]}, ["lines[0].quantity"], id="10**12 units"),
        pytest.param({"lines": [TEA | {"quantity": 2**63 - 1}]}, ["lines[0].quantity"], id="2**63-1 units"),
        pytest.param({"lines": [TEA | {"quantity": 2**64}]}, ["lines[0].quantity"], id="2**64 units"),
        pytest.param({"lines": [TEA | {"quantity": "3"}]}, ["lines[0].quantity"], id="quantity is a string"),
        pytest.param({"lines": [TEA | {"quantity": 1.5}]}, ["lines[0].quantity"], id="quantity is a fraction"),
        pytest.param({"lines": [TEA | {"quantity": 1.0}]}, ["lines[0].quantity"], id="quantity is a float"),
        pytest.param({"lines": [TEA | {"quantity": True}]}, ["lines[0].quantity"], id="quantity is true"),
        pytest.param({"lines": [TEA | {"quantity": None}]}, ["lines[0].quantity"], id="quantity is null"),
        pytest.param({"lines": [TEA | {"quantity": [1]}]}, ["lines[0].quantity"], id="quantity is a list"),
        pytest.param({"lines": [TEA | {"price": 0}]}, ["lines[0].price"], id="price given by the customer"),
        pytest.param({"lines": [TEA], "customer_id": str(uuid4())}, ["customer_id"], id="for another customer"),
        pytest.param({"lines": [TEA], "status": "paid"}, ["status"], id="status given by the customer"),
        pytest.param({"lines": [{"sku": "GOLD", "quantity": 2}]}, ["lines"], id="total too large for its column"),
        pytest.param(
            {"lines": [{"sku": 1, "quantity": 0}, TEA | {"quantity": "x"}, TEA]},
            ["lines[0].quantity", "lines[0].sku", "lines[1].quantity"],
            id="several invalid fields",
        ),
        pytest.param(
            {"lines": [{"sku": "NONE", "quantity": 1}, TEA, {"sku": "OLD", "quantity": 1}]},
            ["lines[0].sku", "lines[2].sku"],
            id="several invalid SKUs",
        ),
    ],
)
def test_invalid_order_names_its_fields_and_writes_nothing(body, fields, catalogue, published):
    catalogue("TEA")
    catalogue("OLD", active=False)
    catalogue("USD", currency="USD")
    catalogue("GOLD", price="9999999999.00")
    client = client_of(new_user())
    before = published()
    problem = assert_problem(client.post(ORDERS, body), 400, *fields)
    assert len(str(problem)) < 2_000
    assert not Order.objects.exists()
    assert not OrderLine.objects.exists()
    assert not OrderChange.objects.exists()
    assert published() == before


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([], "lines"),
        ([Line(sku=f"S{number}", quantity=1) for number in range(101)], "lines"),
        ([Line(sku="TEA", quantity=0)], "lines[0].quantity"),
        ([Line(sku="TEA", quantity=10_001)], "lines[0].quantity"),
    ],
)
def test_operation_validates_its_arguments(lines, field, catalogue):
    catalogue("TEA")
    with pytest.raises(operations.InvalidOrder) as refusal:
        operations.place_order(customer_id=uuid4(), lines=lines)
    assert [error.field for error in refusal.value.errors] == [field]


def test_placing_takes_the_same_statements_for_any_number_of_lines(catalogue):
    skus = [f"S{number}" for number in range(100)]
    catalogue(*skus)
    statements = []
    for count in (1, 50, 100):
        lines = [Line(sku=sku, quantity=1) for sku in skus[:count]]
        with CaptureQueriesContext(connection) as queries:
            operations.place_order(customer_id=uuid4(), lines=lines)
        statements.append([query["sql"].split()[0] for query in queries])
    # The savepoint comes from the transaction of the test itself.
    # The quotas take a lock, where the database has several writers, and one statement.
    quotas = {"postgresql": ["SELECT", "WITH"], "sqlite": ["WITH"]}[connection.vendor]
    writing = {"postgresql": ["WITH"] * 2, "sqlite": ["WITH"] * 3 + ["INSERT"] * 2}[connection.vendor]
    assert statements == [["SELECT", "SAVEPOINT", *quotas, *writing, "RELEASE"]] * 3


def test_returned_order_equals_the_stored_order(place):
    order = place()
    stored = Order.objects.get(pk=order.pk)
    for field in Order._meta.concrete_fields:
        assert getattr(order, field.attname) == getattr(stored, field.attname), field.name
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines.all()] == [
        (line.sku, line.quantity, line.unit_price) for line in stored.lines.all()
    ]
    order.save()
    assert Order.objects.count() == 1


def test_many_orders_take_the_statements_of_one(catalogue, published, django_assert_num_queries):
    catalogue("TEA", "MUG", price="2.50")
    customer = uuid4()
    orders = [
        operations.NewOrder(customer_id=customer, lines=[Line(sku="TEA", quantity=n), Line(sku="MUG", quantity=1)])
        for n in range(1, 51)
    ]
    with django_assert_num_queries({"postgresql": 5, "sqlite": 8}[connection.vendor]):
        ids = operations.place_orders(orders=orders)
    assert list(Order.objects.order_by("id").values_list("id", flat=True)) == sorted(ids)
    assert [Order.objects.get(pk=pk).total for pk in ids[:2]] == [Decimal("5.00"), Decimal("7.50")]
    assert [event.order_id for event in published(OrderPlaced)] == ids
    assert OrderChange.objects.filter(to_status="placed").count() == 50


def test_no_orders_are_placed_without_a_statement_that_writes(published):
    assert operations.place_orders(orders=[]) == []
    assert not Order.objects.exists()
    assert published() == []


def test_one_invalid_order_of_several_is_named_and_no_order_is_placed(catalogue):
    catalogue("TEA")
    orders = [
        operations.NewOrder(customer_id=uuid4(), lines=[Line(sku=sku, quantity=1)]) for sku in ("TEA", "SOAP", "TEA")
    ]
    with pytest.raises(operations.InvalidOrder) as refusal:
        operations.place_orders(orders=orders)
    assert [error.field for error in refusal.value.errors] == ["orders[1].lines[0].sku"]
    assert not Order.objects.exists()


def test_crash_while_placing_leaves_no_rows(place, monkeypatch):
    def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(placing, "publish", crash)
    with pytest.raises(RuntimeError):
        place()
    assert not Order.objects.exists()
    assert not OrderChange.objects.exists()


class TestWelcomeOrder:
    """The order that every new user gets."""

    def test_new_user_gets_a_welcome_order_whose_history_names_the_event(self, settings, catalogue, drain, published):
        settings.WELCOME_SKU = "HELLO"
        catalogue("HELLO", price="0.00")
        user = new_user()
        drain()
        order = Order.objects.get()
        assert order.customer_id == user.pk
        assert order.is_welcome
        assert [(line.sku, line.quantity) for line in order.lines.all()] == [("HELLO", 1)]
        (created,), (placed,) = published(UserCreated), published(OrderPlaced)
        assert order.changes.get(sequence=1).event_id == created.id
        assert placed.correlation_id == created.id

    def test_repeated_event_opens_one_welcome_order(self, settings, catalogue):
        settings.WELCOME_SKU = "HELLO"
        catalogue("HELLO")
        user_id = uuid4()
        for _ in range(3):
            operations.open_welcome_order(user_id=user_id)
        assert Order.objects.get().customer_id == user_id

    def test_database_refuses_a_second_welcome_order(self, place):
        customer_id = uuid4()
        place(customer_id=customer_id, is_welcome=True)
        place(customer_id=customer_id)
        with pytest.raises(IntegrityError), transaction.atomic():
            place(customer_id=customer_id, is_welcome=True)
        assert Order.objects.filter(is_welcome=True).count() == 1
        place(is_welcome=True)

    def test_without_welcome_sku_no_order_is_opened(self, settings):
        settings.WELCOME_SKU = ""
        assert operations.open_welcome_order(user_id=uuid4()) is None
        assert not Order.objects.exists()

    def test_missing_welcome_product_raises_until_the_catalogue_has_it(self, settings, catalogue):
        settings.WELCOME_SKU = "HELLO"
        user_id = UUID(int=1)
        with pytest.raises(operations.InvalidOrder):
            operations.open_welcome_order(user_id=user_id)
        catalogue("HELLO")
        assert operations.open_welcome_order(user_id=user_id) is not None
