"""`manage.py demo_data`."""

from collections import Counter
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model

from inventory import operations as inventory
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from orders.models import CatalogueItem, Order, OrderChange, OrderLine
from project.bus.models import Delivery, Event, Receipt, Subscription
from project.console.demo_admin import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD
from project.demo import history
from project.demo.content import DEMO_PEOPLE, DEMO_PRODUCTS, SCARCE_SKU
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds
from users.models import User

pytestmark = pytest.mark.django_db

EMAILS = {person.email for person in DEMO_PEOPLE}
ORDERS = sum(len(person.orders) for person in DEMO_PEOPLE)


@pytest.fixture(autouse=True)
def welcome_sku(settings):
    settings.WELCOME_SKU = "WELCOME"


def demo_data() -> str:
    output = StringIO()
    call_command("demo_data", stdout=output)
    return output.getvalue()


def all_rows() -> list[list[dict[str, Any]]]:
    """Every row that the command can change, to compare before and after."""
    models: list[type[Model]] = [
        *(User, Product, Location, Stock, Movement, Allocation, Reservation),
        *(Order, OrderLine, OrderChange, CatalogueItem, Event, Delivery, Receipt),
    ]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def test_empty_system_gets_products_that_can_be_ordered(published):
    demo_data()
    on_hand = {
        product.sku: sum(stock.on_hand for stock in product.stock.all())
        for product in Product.objects.prefetch_related("stock")
    }
    assert on_hand == {product.sku: sum(product.stock) for product in DEMO_PRODUCTS} | {"WELCOME": 10_000}
    assert {event.sku for event in published(ProductChanged)} == set(on_hand)
    assert Product.objects.get(sku="WELCOME").price == Decimal("0.00")


def test_demo_customers_have_orders_in_several_states_and_the_ledger_is_consistent():
    assert demo_data() == f"demo data: 13 products, 2 locations, {len(EMAILS)} people and {ORDERS} orders added\n"
    assert set(User.objects.values_list("email", flat=True)) == EMAILS
    states = Counter(Order.objects.filter(is_welcome=False).values_list("status", flat=True))
    assert states == {"confirmed": ORDERS - 3, "cancelled": 2, "rejected": 1}
    assert set(Order.objects.filter(is_welcome=True).values_list("status", flat=True)) == {"confirmed"}
    cancelled = OrderChange.objects.filter(to_status="cancelled")
    assert {(change.from_status, bool(change.reason)) for change in cancelled} == {("confirmed", True)}
    assert_ledger_holds()
    # `manage.py demo` sells all units of this product itself.
    assert not Stock.objects.filter(product__sku=SCARCE_SKU, reserved__gt=0).exists()


def test_only_emails_are_left_for_workers():
    demo_data()
    assert {delivery.handler.partition(".")[2][:6] for delivery in Delivery.objects.all()} == {"email_"}
    assert not Delivery.objects.filter(attempts__gt=0).exists()


def test_demo_customers_cannot_log_in():
    demo_data()
    assert not any(user.has_usable_password() or user.is_staff for user in User.objects.all())


def test_second_run_changes_nothing(settings):
    settings.DEBUG = True
    demo_data()
    before = all_rows()
    assert demo_data() == "demo data: 0 products, 0 locations, 0 people and 0 orders added\n"
    assert all_rows() == before


def test_existing_product_and_its_stock_are_unchanged_and_orders_for_it_are_rejected():
    sku = DEMO_PRODUCTS[0].sku
    Product(sku=sku, name="Mine", price=Decimal("1.00")).save()
    demo_data()
    assert Product.objects.get(sku=sku).name == "Mine"
    assert not Stock.objects.filter(product__sku=sku).exists()
    assert set(Order.objects.filter(lines__sku=sku).values_list("status", flat=True)) == {"rejected"}


@pytest.mark.parametrize("different", [{"active": False}, {"currency": "USD"}])
def test_existing_product_that_is_inactive_or_in_another_currency_is_not_ordered(different):
    inventory.add_product(sku="MUG-STONE", name="Mine", price=Decimal("1.00"), **different)
    demo_data()
    assert not Order.objects.filter(lines__sku="MUG-STONE").exists()
    assert Order.objects.filter(is_welcome=False).count() == ORDERS - 3


def test_existing_customers_get_no_orders():
    person = DEMO_PEOPLE[0]
    User.objects.create_user(person.email)
    demo_data()
    assert not Order.objects.filter(customer_id=User.objects.get(email=person.email).pk, is_welcome=False).exists()
    assert Order.objects.filter(is_welcome=False).count() == ORDERS - len(person.orders)


def test_timeout_is_reported_and_leaves_no_customers(monkeypatch):
    monkeypatch.setattr(history, "STEP_LIMIT_S", 0.2)
    Subscription.objects.filter(handler="orders.keep_catalogue").update(paused=True)
    with pytest.raises(CommandError, match=r"the new products were not handled within 0\.2 s; manage\.py bus status"):
        demo_data()
    assert not User.objects.exists()
    Subscription.objects.update(paused=False)
    assert f"{len(EMAILS)} people and {ORDERS} orders added" in demo_data()


def test_without_welcome_sku_no_welcome_product_is_added(settings):
    settings.WELCOME_SKU = ""
    demo_data()
    assert Product.objects.count() == len(DEMO_PRODUCTS)
    assert not Order.objects.filter(is_welcome=True).exists()


def test_welcome_sku_can_be_a_product_of_the_demo(settings):
    settings.WELCOME_SKU = DEMO_PRODUCTS[0].sku
    demo_data()
    assert Product.objects.count() == len(DEMO_PRODUCTS)


def test_debug_creates_an_admin_and_prints_the_credentials(settings, client):
    settings.DEBUG = True
    output = demo_data()
    assert DEMO_ADMIN_EMAIL in output
    assert DEMO_ADMIN_PASSWORD in output
    assert client.login(username=DEMO_ADMIN_EMAIL, password=DEMO_ADMIN_PASSWORD)
    assert client.get("/admin/").status_code == 200


def test_no_admin_with_a_known_password_is_created_if_there_is_a_superuser(settings):
    settings.DEBUG = True
    User.objects.create_superuser("root@example.org", "correct horse battery")
    assert DEMO_ADMIN_EMAIL not in demo_data()
    assert not User.objects.filter(email=DEMO_ADMIN_EMAIL).exists()


def test_existing_account_with_the_admin_address_is_unchanged(settings):
    settings.DEBUG = True
    User.objects.create_user(DEMO_ADMIN_EMAIL, "something else entirely")
    demo_data()
    assert not User.objects.get(email=DEMO_ADMIN_EMAIL).is_staff


def test_without_debug_no_admin_is_created(settings):
    settings.DEBUG = False
    demo_data()
    assert set(User.objects.values_list("email", flat=True)) == EMAILS
