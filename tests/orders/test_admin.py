"""Orders in Django admin."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from orders.operations import cancel_order
from project.events import OrderCancelled
from tests.api.clients import new_user
from users.models import User

pytestmark = pytest.mark.django_db
LIST = "/admin/orders/order/"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff() -> Client:
    return logged_in(new_user(is_staff=True, is_superuser=True))


def list_page(client: Client, query: str = "") -> str:
    response = client.get(LIST + query, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def cancel(client: Client, *orders: Order) -> str:
    data = {"action": "cancel_orders", "_selected_action": [str(order.pk) for order in orders]}
    return client.post(LIST, data, follow=True).content.decode()


def test_order_page_shows_lines_and_history_and_is_read_only(staff, place):
    order = place()
    response = staff.get(f"{LIST}{order.pk}/change/")
    page = response.content.decode()
    assert "TEA" in page
    assert str(order.customer_id) in page
    assert "_save" not in page
    assert staff.post(f"{LIST}{order.pk}/change/", {"status": "paid"}).status_code == 403
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{order.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Order.objects.get().status == "placed"


def test_orders_are_found_by_order_id_and_by_customer_id(staff, place):
    mine, other = place(), place()
    for term in (mine.pk, mine.customer_id, mine.pk.hex, f" {mine.pk} "):
        page = list_page(staff, f"?q={term}")
        assert str(mine.pk) in page
        assert str(other.pk) not in page
    assert "not a whole id" in list_page(staff, "?q=0190")
    assert str(other.pk) not in list_page(staff, f"?q={uuid4()}")


def test_bulk_cancel_reports_which_orders_were_not_cancelled(staff, place, published):
    orders = [place() for _ in range(3)]
    cancel_order(order_id=orders[2].pk)
    page = cancel(staff, *orders)
    assert "Orders cancelled: 2." in page
    assert f"Order {orders[2].pk} is cancelled" in page
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    assert len(published(OrderCancelled)) == 3
    staff_id = User.objects.get().pk
    change = orders[0].changes.get(sequence=2)
    assert (change.actor_id, change.reason) == (staff_id, "Cancelled by staff.")
    assert Order.objects.get(pk=orders[0].pk).reason == "Cancelled by the shop."


def test_bulk_cancel_summarizes_many_refusals(staff, place):
    orders = [place() for _ in range(13)]
    cancel(staff, *orders)
    assert "3 more orders were not cancelled." in cancel(staff, *orders)


def test_bulk_cancel_requires_the_change_permission(place):
    order = place()
    viewer = new_user(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = logged_in(viewer)
    assert str(order.pk) in list_page(client)
    cancel(client, order)
    assert Order.objects.get().status == "placed"
    viewer.user_permissions.add(Permission.objects.get(codename="change_order"))
    cancel(client, order)
    assert Order.objects.get().status == "cancelled"


def test_list_takes_the_same_statements_for_any_length(staff, place):
    statements = []
    for count in (1, 20):
        for _ in range(count):
            place()
        with CaptureQueriesContext(connection) as queries:
            list_page(staff)
        statements.append(len(queries))
    assert statements[0] == statements[1]


def test_catalogue_items_can_be_viewed_but_not_added(staff, catalogue):
    catalogue("TEA", "CUP")
    assert "TEA" in staff.get("/admin/orders/catalogueitem/?q=TEA").content.decode()
    assert staff.get("/admin/orders/catalogueitem/TEA/change/").status_code == 200
    assert staff.get("/admin/orders/catalogueitem/add/").status_code == 403


def test_order_is_cancelled_from_its_page_with_a_reason(staff, place, published):
    order = place()
    button = f"{LIST}{order.pk}/cancel/"
    assert button in staff.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "This field is required" in staff.post(button, {"_form_submitted": "True"}).content.decode()

    answer = staff.post(button, {"_form_submitted": "True", "reason": "recalled"})

    page = staff.get(answer["HX-Redirect"]).content.decode()
    assert f"Order {order.pk} is cancelled" in page
    assert button not in page
    (event,) = published(OrderCancelled)
    assert (event.order_id, event.reason) == (order.pk, "Cancelled by the shop.")
    assert order.changes.get(sequence=2).reason == "recalled"
    assert order.changes.get(sequence=2).actor_id == User.objects.get().pk

    # The page was still open in another tab.
    answer = staff.post(button, {"_form_submitted": "True", "reason": "recalled"})
    assert "HX-Redirect" not in answer
    assert f"Order {order.pk} is cancelled. Only one that is" in answer.content.decode()
    assert len(published(OrderCancelled)) == 1


def test_a_customer_reads_the_message_of_the_dialog_and_not_its_reason(staff, place, published):
    order = place()
    form = {"_form_submitted": "True", "reason": "a fraud?", "message": "We are out of tea."}
    assert "HX-Redirect" in staff.post(f"{LIST}{order.pk}/cancel/", form)
    order.refresh_from_db()
    assert (order.reason, order.changes.get(sequence=2).reason) == ("We are out of tea.", "a fraud?")
    assert [event.reason for event in published(OrderCancelled)] == ["We are out of tea."]


@pytest.mark.parametrize("order_id", [uuid4(), "abc"])
def test_cancelling_an_unknown_order_is_a_404(staff, place, order_id):
    assert staff.post(f"{LIST}{order_id}/cancel/", {"_form_submitted": "True", "reason": "x"}).status_code == 404


def test_cancel_button_requires_the_change_permission(place):
    order = place()
    viewer = new_user(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = logged_in(viewer)
    assert f"{LIST}{order.pk}/cancel/" not in client.get(f"{LIST}{order.pk}/change/").content.decode()
    assert client.post(f"{LIST}{order.pk}/cancel/", {"_form_submitted": "True", "reason": "x"}).status_code == 403
    assert Order.objects.get().status == "placed"


def test_orders_are_filtered_by_status(staff, place):
    placed, cancelled = place(), place()
    cancel_order(order_id=cancelled.pk)
    page = list_page(staff, "?status__exact=cancelled")
    assert str(cancelled.pk) in page
    assert str(placed.pk) not in page
    assert "No orders match." in list_page(staff, "?status__exact=paid")
