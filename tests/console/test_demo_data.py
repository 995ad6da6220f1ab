"""`manage.py demo_data`."""

from collections import Counter
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from inventory import operations as inventory
from inventory.models import Allocation, Location, Movement, Product, Stock
from orders.models import Order, OrderChange
from project.bus.models import Delivery, Event, Receipt, Subscription
from project.console import demo_history
from project.console.demo_content import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD, DEMO_PEOPLE, DEMO_PRODUCTS, SCARCE_SKU
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds
from users.models import User

pytestmark = pytest.mark.django_db

PEOPLE = {person.email for person in DEMO_PEOPLE}
ORDERS = sum(len(person.orders) for person in DEMO_PEOPLE)


@pytest.fixture(autouse=True)
def welcome_sku(settings):
    settings.WELCOME_SKU = "WELCOME"


def demo_data() -> str:
    output = StringIO()
    call_command("demo_data", stdout=output)
    return output.getvalue()


def everything() -> list[list[dict]]:
    ours = [apps.get_model(name) for name in ("orders.OrderLine", "inventory.Reservation", "orders.CatalogueItem")]
    models = (User, Product, Location, Stock, Movement, Allocation, Order, OrderChange, Event, Delivery, Receipt, *ours)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_it_fills_an_empty_system_with_products_that_can_be_ordered(published):
    demo_data()
    on_hand = {
        product.sku: sum(stock.on_hand for stock in product.stock.all())
        for product in Product.objects.prefetch_related("stock")
    }
    assert on_hand == {product.sku: sum(product.stock) for product in DEMO_PRODUCTS} | {"WELCOME": 10_000}
    assert {event.sku for event in published(ProductChanged)} == set(on_hand)
    assert Product.objects.get(sku="WELCOME").price == Decimal("0.00")


def test_its_people_have_orders_in_several_states_that_stock_and_ledger_agree_with():
    assert demo_data() == f"demo data: 13 products, 2 locations, {len(PEOPLE)} people and {ORDERS} orders added\n"
    assert set(User.objects.values_list("email", flat=True)) == PEOPLE
    states = Counter(Order.objects.filter(is_welcome=False).values_list("status", flat=True))
    assert states == {"confirmed": ORDERS - 3, "cancelled": 2, "rejected": 1}
    assert set(Order.objects.filter(is_welcome=True).values_list("status", flat=True)) == {"confirmed"}
    cancelled = OrderChange.objects.filter(to_status="cancelled")
    assert {(change.from_status, bool(change.reason)) for change in cancelled} == {("confirmed", True)}
    assert_ledger_holds()
    # The demo counts on having all of these for itself.
    assert not Stock.objects.filter(product__sku=SCARCE_SKU, reserved__gt=0).exists()


def test_of_its_history_only_e_mails_are_left_for_workers():
    demo_data()
    assert {delivery.handler.partition(".")[2][:6] for delivery in Delivery.objects.all()} == {"email_"}
    assert not Delivery.objects.filter(attempts__gt=0).exists()


def test_nobody_can_log_in_as_one_of_its_people():
    demo_data()
    assert not any(user.has_usable_password() or user.is_staff for user in User.objects.all())


def test_a_second_run_changes_nothing(settings):
    settings.DEBUG = True
    demo_data()
    before = everything()
    assert demo_data() == "demo data: 0 products, 0 locations, 0 people and 0 orders added\n"
    assert everything() == before


def test_a_product_of_the_same_sku_and_its_stock_stay_as_they_are_and_orders_for_it_are_rejected():
    sku = DEMO_PRODUCTS[0].sku
    Product(sku=sku, name="Mine", price=Decimal("1.00")).save()
    demo_data()
    assert Product.objects.get(sku=sku).name == "Mine"
    assert not Stock.objects.filter(product__sku=sku).exists()
    assert set(Order.objects.filter(lines__sku=sku).values_list("status", flat=True)) == {"rejected"}


@pytest.mark.parametrize("different", [{"active": False}, {"currency": "USD"}])
def test_a_product_of_the_same_sku_that_cannot_be_ordered_so_is_left_out_of_the_history(different):
    inventory.add_product(sku="MUG-STONE", name="Mine", price=Decimal("1.00"), **different)
    demo_data()
    assert not Order.objects.filter(lines__sku="MUG-STONE").exists()
    assert Order.objects.filter(is_welcome=False).count() == ORDERS - 3


def test_people_who_are_there_already_order_nothing_more():
    person = DEMO_PEOPLE[0]
    User.objects.create_user(person.email)
    demo_data()
    assert not Order.objects.filter(customer_id=User.objects.get(email=person.email).pk, is_welcome=False).exists()
    assert Order.objects.filter(is_welcome=False).count() == ORDERS - len(person.orders)


def test_what_cannot_be_handled_is_said_and_leaves_no_half_made_people(monkeypatch):
    monkeypatch.setattr(demo_history, "LIMIT", 0.2)
    Subscription.objects.filter(handler="orders.keep_catalogue").update(paused=True)
    with pytest.raises(CommandError, match=r"the new products were not handled within 0\.2 s; manage\.py bus_status"):
        demo_data()
    assert not User.objects.exists()
    Subscription.objects.update(paused=False)
    assert f"{len(PEOPLE)} people and {ORDERS} orders added" in demo_data()


def test_without_a_welcome_sku_there_is_no_welcome_product(settings):
    settings.WELCOME_SKU = ""
    demo_data()
    assert Product.objects.count() == len(DEMO_PRODUCTS)
    assert not Order.objects.filter(is_welcome=True).exists()


def test_a_welcome_sku_may_name_a_product_of_the_catalogue(settings):
    settings.WELCOME_SKU = DEMO_PRODUCTS[0].sku
    demo_data()
    assert Product.objects.count() == len(DEMO_PRODUCTS)


def test_with_debug_on_it_makes_an_admin_and_prints_how_to_log_in(settings, client):
    settings.DEBUG = True
    output = demo_data()
    assert DEMO_ADMIN_EMAIL in output
    assert DEMO_ADMIN_PASSWORD in output
    assert client.login(username=DEMO_ADMIN_EMAIL, password=DEMO_ADMIN_PASSWORD)
    assert client.get("/admin/").status_code == 200


def test_a_shop_that_has_an_administrator_gets_none_whose_password_everybody_knows(settings):
    settings.DEBUG = True
    User.objects.create_superuser("root@example.org", "correct horse battery")
    assert DEMO_ADMIN_EMAIL not in demo_data()
    assert not User.objects.filter(email=DEMO_ADMIN_EMAIL).exists()


def test_an_account_of_the_admins_address_is_left_alone(settings):
    settings.DEBUG = True
    User.objects.create_user(DEMO_ADMIN_EMAIL, "something else entirely")
    demo_data()
    assert not User.objects.get(email=DEMO_ADMIN_EMAIL).is_staff


def test_with_debug_off_it_makes_no_account_of_a_known_password(settings):
    settings.DEBUG = False
    demo_data()
    assert set(User.objects.values_list("email", flat=True)) == PEOPLE
