"""Links in the admin lead to existing pages, between services and through the bus."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.db import transaction
from django.test import Client
from django.urls import resolve

from inventory import operations as inventory
from inventory.models import Allocation, Movement, Stock
from orders import operations as orders
from orders.models import Order
from project.adminkit import cause_link, link, list_link, menu
from project.bus import publish
from project.bus.models import Delivery, Event, Failure, Receipt
from project.events import Line, StockRejected
from tests.api.clients import new_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(drain) -> Order:
    """An order for two products that its customer cancelled after it was confirmed; and a failure of another order."""
    inventory.add_location(code="MAIN", name="Main store")
    for sku in ("CUP", "TEA_5F"):  # _5F is the admin's escape of an underscore in a URL
        inventory.add_product(sku=sku, name=f"The {sku}", price=Decimal("4.50"))
        inventory.receive_stock(sku=sku, location="MAIN", quantity=5, reason="first delivery")
    customer = new_user()
    drain()
    order = orders.place_order(
        customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2), Line(sku="TEA_5F", quantity=1)]
    )
    drain()
    orders.cancel_order(order_id=order.pk, actor_id=customer.pk, reason="changed my mind")
    inventory.adjust_stock(sku="CUP", location="MAIN", quantity=-1, reason="one broke", actor_id=customer.pk)
    other = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    drain()
    with transaction.atomic():
        publish(StockRejected(order_id=other.pk, reason="although it is reserved"))
    drain()
    return order


def links(client: Client, path: str) -> list[str]:
    """Return the links of a page, without the menu."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    content = answer.content.decode().partition('id="content-main"')[2]
    return [unescape(href) for href in re.findall(r'<a [^>]*href="(/admin/[^"]+)"', content)]


def test_each_linked_page_exists(admin_client, order):
    start = [f"/admin/orders/order/{order.pk}/change/", "/admin/bus/failure/", "/admin/inventory/movement/"]
    to_visit, seen = list(start), set(start)
    while to_visit:
        for path in links(admin_client, to_visit.pop()):
            if path not in seen:
                seen.add(path)
                # Visit three pages of each kind.
                name = resolve(path.partition("?")[0]).url_name
                if sum(resolve(other.partition("?")[0]).url_name == name for other in seen) <= 3:
                    to_visit.append(path)
    reached = {resolve(path.partition("?")[0]).url_name for path in seen}
    assert reached >= {
        *("orders_order_change", "users_user_change", "inventory_product_change", "inventory_stock_change"),
        *("inventory_allocation_change", "inventory_movement_change", "inventory_movement_changelist"),
        *(
            "bus_event_change",
            "bus_event_changelist",
            "bus_receipt_change",
            "bus_delivery_change",
            "bus_failure_change",
        ),
    }


def test_an_order_links_to_its_customer_and_to_all_that_it_caused(admin_client, order):
    found = links(admin_client, f"/admin/orders/order/{order.pk}/change/")
    assert f"/admin/users/user/{order.customer_id}/change/" in found
    for table, rows in (("bus/event", 4), ("inventory/allocation", 1), ("inventory/movement", 4)):
        (path,) = [path for path in found if path.startswith(f"/admin/{table}/?")]
        assert admin_client.get(path).context["cl"].result_count == rows
    # The history: placed, confirmed by an event, cancelled by a person.
    confirmed, cancelled = order.changes.order_by("sequence")[1:]
    assert f"/admin/bus/event/{confirmed.event_id}/change/" in found
    assert found.count(f"/admin/users/user/{cancelled.actor_id}/change/") == 2


def test_an_event_links_to_its_subject_cause_chain_and_receipts(admin_client, order):
    placed, reserved = (
        Event.objects.get(subject=str(order.pk), type=name)
        for name in ("orders.order_placed", "inventory.stock_reserved")
    )
    found = links(admin_client, f"/admin/bus/event/{placed.pk}/change/")
    receipt = Receipt.objects.get(event=placed)
    assert f"/admin/orders/order/{order.pk}/change/" in found
    assert f"/admin/users/user/{order.customer_id}/change/" in found
    assert f"/admin/bus/receipt/{receipt.pk}/change/" in found
    found = links(admin_client, f"/admin/bus/event/{reserved.pk}/change/")
    assert f"/admin/bus/event/{placed.pk}/change/" in found
    (chain,) = [path for path in found if path.startswith("/admin/bus/event/?")]
    assert {row.correlation_id for row in admin_client.get(chain).context["cl"].result_list} == {placed.pk}
    product = Event.objects.filter(type="inventory.product_changed", subject="TEA_5F").get()
    (path,) = [path for path in links(admin_client, f"/admin/bus/event/{product.pk}/change/") if "product" in path]
    assert "The TEA_5F" in admin_client.get(path).content.decode()


def test_failure_delivery_and_event_link_to_one_another(admin_client, order):
    failure = Failure.objects.latest("pk")
    delivery = Delivery.objects.get(pk=failure.delivery_id)
    for path, targets in {
        f"/admin/bus/failure/{failure.pk}/change/": ("delivery", "event"),
        f"/admin/bus/delivery/{delivery.pk}/change/": ("event",),
        f"/admin/bus/event/{failure.event_id}/change/": ("delivery", "failure"),
    }.items():
        found = links(admin_client, path)
        keys = {"delivery": delivery.pk, "event": failure.event_id, "failure": failure.pk}
        assert [t for t in targets if f"/admin/bus/{t}/{keys[t]}/change/" not in found] == []


def test_a_movement_links_to_its_order_and_to_the_event_or_user_that_caused_it(admin_client, order):
    by_event = Movement.objects.filter(order_id=order.pk).earliest("pk")
    by_person = Movement.objects.get(reason="one broke")
    found = links(admin_client, f"/admin/inventory/movement/{by_event.pk}/change/")
    assert f"/admin/orders/order/{order.pk}/change/" in found
    assert f"/admin/bus/event/{by_event.event_id}/change/" in found
    assert f"/admin/inventory/stock/{by_event.stock_id}/change/" in found
    found = links(admin_client, f"/admin/inventory/movement/{by_person.pk}/change/")
    assert f"/admin/users/user/{order.customer_id}/change/" in found
    found = links(admin_client, f"/admin/inventory/allocation/{order.pk}/change/")
    assert f"/admin/orders/order/{order.pk}/change/" in found
    assert f"/admin/bus/event/{Allocation.objects.get(pk=order.pk).event_id}/change/" in found
    assert all(f"/admin/inventory/stock/{stock.pk}/change/" in found for stock in Stock.objects.all())


def test_a_link_to_a_service_that_is_not_installed_is_text(rf, admin_user, settings):
    assert link("billing_invoice", 7) == "7"
    assert link("billing_invoice", 7, "an invoice") == "an invoice"
    assert list_link("billing_invoice", "invoices", q=7) == "invoices"
    assert link("orders_order", None) == cause_link(event_id=None, actor_id=None) == "-"
    settings.ADMIN_MENU = {"billing.invoice": "euro", "orders.order": "receipt_long", "sessions.session": "key"}
    request = rf.get("/")
    request.user = admin_user
    assert [(group["title"], [item["title"] for item in group["items"]]) for group in menu(request)] == [
        ("Orders", ["Orders"])
    ]


def test_the_menu_has_only_what_the_user_may_see(rf):
    request = rf.get("/")
    request.user = new_user(is_staff=True)
    assert menu(request) == []
