"""Who changed which price, account or right is in the audit, whichever way it was changed."""

import getpass
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from inventory import operations
from inventory.models import Location, Product
from orders.models import CatalogueItem
from orders.operations import place_order
from project.events import Line
from tests.api.clients import client_of, member_of, new_user
from tests.audit.helpers import PASSWORD, Recorded, admin_of
from tests.inventory.helpers import rolled_back, stocked
from users.models import User
from users.operations import register_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug() -> Product:
    return stocked("MUG", north=5)


@pytest.fixture
def root() -> User:
    return new_user(is_staff=True, is_superuser=True)


def test_a_price_that_is_set_by_the_api_is_recorded_with_the_account(mug):
    clerk = member_of("shop staff")
    recorded = Recorded()
    client = client_of(clerk)
    assert client.patch("/api/v1/products/MUG/", {"price": "0.01", "active": False}).status_code == 200
    assert client.patch("/api/v1/products/MUG/", {"price": "0.01"}).status_code == 200
    assert client.patch("/api/v1/products/MUG/", {"price": "-1"}).status_code == 400
    assert client.post("/api/v1/products/", {"sku": "CUP", "name": "Cup", "price": "1.5"}).status_code == 201
    new = {"name": [None, "Cup"], "price": [None, "1.50"], "currency": [None, "EUR"], "active": [None, True]}
    assert recorded() == [
        (str(clerk.pk), "change", "inventory.product", "MUG", {"price": ["9.90", "0.01"], "active": [True, False]}),
        (str(clerk.pk), "add", "inventory.product", "CUP", new),
    ]


def test_a_price_that_is_set_in_the_admin_is_recorded_with_the_account(mug, root):
    recorded = Recorded()
    form = {"name": mug.name, "price": "1", "currency": "EUR", "active": "on"}
    form |= {f"stock-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    assert admin_of(root).post(f"/admin/inventory/product/{mug.pk}/change/", form).status_code == 302
    assert recorded() == [(str(root.pk), "change", "inventory.product", "MUG", {"price": ["9.90", "1.00"]})]


def bulk_update(sku: str) -> None:
    product = Product.objects.get(sku=sku)
    product.price = Decimal(2)
    Product.objects.bulk_update([product], ["price"])


WAYS = {
    "operation": lambda sku: operations.change_product(sku=sku, price=Decimal("2.00")),
    "update": lambda sku: Product.objects.filter(sku=sku).update(price=2),
    "update by an expression": lambda sku: Product.objects.filter(sku=sku).update(price=F("price") - Decimal("7.90")),
    "update of the base manager's rows by a sorted set": lambda sku: Product.objects.order_by("-sku").update(price=2),
    "bulk_update": bulk_update,
}


@pytest.mark.parametrize("way", WAYS, ids=[name.replace(" ", "_") for name in WAYS])
def test_each_way_to_set_a_price_records_the_operating_systems_user_outside_a_request(mug, way):
    recorded = Recorded()
    WAYS[way]("MUG")
    assert Product.objects.get().price == 2
    expected = (getpass.getuser(), "change", "inventory.product", "MUG", {"price": ["9.90", "2.00"]})
    assert recorded() == [expected]


def test_a_change_and_its_record_are_one_transaction(mug):
    recorded = Recorded()
    with rolled_back():
        operations.change_product(sku="MUG", price=Decimal(1))
        assert len(recorded()) == 1
    assert recorded() == []


def test_what_stays_the_same_is_not_recorded(mug):
    recorded = Recorded()
    operations.change_product(sku="MUG", price=Decimal("9.9"), name=mug.name)
    Product.objects.update(price=Decimal("9.90"))
    Location.objects.update(name=F("name"))
    Product.objects.update(version=F("version"))
    assert recorded() == []


def test_locations_are_recorded(mug):
    keeper = member_of("stock keeper")
    recorded = Recorded()
    client_of(keeper).patch("/api/v1/locations/north/", {"active": False, "priority": 7})
    north = Location.objects.get()
    north.name, north.priority = "Far north", F("priority") + 1
    north.save()
    assert recorded() == [
        (str(keeper.pk), "change", "inventory.location", "north", {"priority": [0, 7], "active": [True, False]}),
        (
            getpass.getuser(),
            "change",
            "inventory.location",
            "north",
            {"name": ["North", "Far north"], "priority": [7, 8]},
        ),
    ]


def test_products_of_a_file_or_a_supply_are_recorded_once_each(mug):
    wanted = [operations.Supply(sku=sku, name=sku, price=Decimal(1), units=1) for sku in ("CUP", "MUG", "TEA")]
    recorded = Recorded()
    operations.supply(wanted=wanted, location="north", reason="test")
    assert [row[1:4] for row in recorded()] == [("add", "inventory.product", sku) for sku in ("CUP", "TEA")]


def test_a_product_that_another_transaction_added_is_not_recorded_twice(mug):
    recorded = Recorded()
    twin = Product(sku="MUG", name="Twin", price=Decimal(1), version=1)
    Product.objects.bulk_create([twin, Product(sku="CUP", name="Cup", price=1, version=1)], ignore_conflicts=True)
    assert [row[3] for row in recorded()] == ["CUP"]


def test_products_cannot_be_overwritten_by_bulk_create(mug):
    twin = Product(sku="MUG", name="Twin", price=Decimal(1), version=1)
    options = {"update_conflicts": True, "update_fields": ["price"], "unique_fields": ["sku"]}
    with pytest.raises(ValueError, match=r"Use update\(\)"):
        Product.objects.bulk_create([twin], **options)
    assert Product.objects.get().price == Decimal("9.90")


def test_placing_registering_and_logging_in_take_no_statement_more(mug):
    CatalogueItem.objects.create(sku="MUG", name="Mug", price=1, currency="EUR", active=True, sequence=1)
    recorded = Recorded()
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        ann = register_user(email="ann@example.org", password=PASSWORD)
        place_order(customer_id=ann.pk, lines=[Line(sku="MUG", quantity=1)])
        ann.save(update_fields=["last_login"])
    assert not [query["sql"] for query in queries if "audit_change" in query["sql"] or "FOR NO KEY" in query["sql"]]
    assert not [query["sql"] for query in queries if query["sql"].startswith('SELECT "users_user"."is_active"')]
    assert recorded() == []
