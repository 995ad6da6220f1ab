"""Whom pages of the admin tell what: changes and their people, missing rows, and an account without permissions."""

import logging
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from inventory import operations as inventory
from inventory.models import Location, Product, Stock
from project.errors import Busy
from project.refusals import RefusalFilter
from tests.api.clients import new_user
from tests.inventory.helpers import stocked

pytestmark = pytest.mark.django_db
CHANGES = "/admin/audit/change/"


def clerk(*codenames: str) -> Client:
    user = new_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def page_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def changed(admin_client, admin_user) -> Product:
    """A product whose price the administrator has changed."""
    product = stocked("MUG", north=5)
    form = {"name": "Mug", "price": "8.50", "currency": "EUR", "active": "on"}
    formset = {"stock-TOTAL_FORMS": "0", "stock-INITIAL_FORMS": "0"}
    assert admin_client.post(f"/admin/inventory/product/{product.pk}/change/", form | formset).status_code == 302
    return product


@pytest.mark.parametrize(
    ("codenames", "shown"),
    [
        (["view_change"], False),
        (["view_change", "view_group", "view_product"], False),
        (["view_change", "add_user", "delete_user"], False),
        (["view_change", "view_user"], True),
        (["view_change", "change_user"], True),
    ],
)
def test_the_address_of_who_changed_something_is_for_those_who_may_see_accounts(changed, admin_user, codenames, shown):
    client = clerk(*codenames)
    for path in (CHANGES, f"{CHANGES}?q=MUG"):
        page = page_of(client, path)
        assert (admin_user.email in page) == shown, path
        assert str(admin_user.pk) in page, path


def test_changes_are_found_by_what_changed(changed, admin_client, admin_user):
    inventory.add_product(sku="CUP", name="Cup", price=Decimal(1))
    for term, found in (("MUG", True), (str(admin_user.pk), True), ("CUP", False), ("north", False), ("MU", False)):
        page = page_of(admin_client, f"{CHANGES}?q={term}")
        assert ("→ 8.50" in page) == found, term


def test_the_time_of_a_change_does_not_break(changed, admin_client):
    assert '<span style="white-space: nowrap">20' in page_of(admin_client, CHANGES)


def test_a_page_links_to_its_changes_for_who_may_see_them(changed, admin_client):
    ann, location = new_user(), Location.objects.get()
    paths = {
        f"/admin/users/user/{ann.pk}/change/": ann.pk,
        f"/admin/inventory/product/{changed.pk}/change/": "MUG",
        f"/admin/inventory/location/{location.pk}/change/": "north",
    }
    seeing = ("view_user", "view_product", "view_location", "view_stock")
    for path, key in paths.items():
        link = f"{CHANGES}?q={key}"
        assert link in page_of(admin_client, path)
        assert link in page_of(clerk("view_change", *seeing), path)
        assert CHANGES not in page_of(clerk(*seeing), path)
    for path in ("users/user", "inventory/product", "inventory/location"):
        assert CHANGES + "?q=" not in page_of(admin_client, f"/admin/{path}/add/")


def test_an_account_without_permissions_is_told_whom_to_ask():
    told = "Your account has no permissions yet: ask an administrator for them."
    assert told in page_of(clerk(), "/admin/")
    assert told not in page_of(clerk("view_product"), "/admin/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_dialog_of_a_row_that_does_not_exist_is_a_404(admin_client, method):
    stocked("MUG", north=5)
    stock = Stock.objects.get()
    for path in (
        *("inventory/stock/987654/adjust/", "inventory/stock/zzz/adjust/"),
        *("orders/order/01a20ad0-5dee-7616-9295-0a2b3effe92a/cancel/", "orders/order/7/cancel/"),
    ):
        assert getattr(admin_client, method)(f"/admin/{path}").status_code == 404, path
        assert getattr(clerk("view_stock"), method)(f"/admin/{path}").status_code == 403, path
    assert getattr(admin_client, method)(f"/admin/inventory/stock/{stock.pk}/adjust/").status_code == 200


@pytest.mark.parametrize(
    "key",
    [
        *("99999999999999999999", "9999999999999999999", "9223372036854775808", "-9223372036854775809", "9" * 5000),
        *("-99999999999999999999", "1.5", "", "01a20ad0", "{}", "٣" * 30),
    ],
)
@pytest.mark.parametrize(
    ("table", "action"),
    [
        *(("users/user", "clear_lock_outs"), ("users/user", "mark_addresses_confirmed")),
        *(("orders/order", "cancel_orders"), ("bus/delivery", "retry_deliveries"), ("auth/group", "delete_selected")),
        *(("inventory/stock", "receive"), ("audit/change", "")),
    ],
)
def test_no_key_of_a_selected_row_fails(admin_user, key, table, action):
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)
    answer = client.post(f"/admin/{table}/", {"action": action, "_selected_action": [key], "index": "0"})
    assert answer.status_code in (200, 302)


def refuse(error: Exception):
    def fail(*_args, **_kwargs):
        raise error

    return fail


def lines_of(caplog) -> list[str]:
    formatter = logging.Formatter()
    return [formatter.format(record) for record in caplog.records if record.name == "django.request"]


def test_a_refusal_is_logged_in_one_line_and_a_failure_with_its_traceback(monkeypatch, caplog):
    client = clerk("view_order")
    for path, status in (
        ("/admin/users/user/", 403),
        ("/admin/inventory/stock/", 403),
        ("/admin/orders/order/%00/change/", 400),
        ("/nothing", 404),
        ("/admin/orders/order/?e=1&zzz=1", 400),
    ):
        caplog.clear()
        assert client.get(path).status_code == status, path
        assert all("\n" not in line for line in lines_of(caplog)), path
    for error, status in ((Busy("Too much to do.", wait=3), 503), (ValueError("broken"), 500)):
        monkeypatch.setattr("orders.admin.OrderAdmin.get_queryset", refuse(error))
        caplog.clear()
        assert client.get("/admin/orders/order/").status_code == status
        (line,) = lines_of(caplog)
        assert ("Traceback" in line) == (status == 500)


@pytest.mark.parametrize(
    ("status", "kept"),
    [(400, False), (403, False), (404, False), (413, False), (503, False), (500, True), (None, True)],
)
def test_only_failures_keep_their_traceback(status, kept):
    error = ValueError("broken")
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "x", (), (ValueError, error, None))
    if status:
        record.status_code = status
    assert RefusalFilter().filter(record)
    assert bool(record.exc_info) == kept
