"""Names, reasons and messages are one line that can be read, in the admin and by the API."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group

from inventory import operations as inventory
from inventory.models import Location, Movement, Product, Stock
from orders.models import Order, OrderChange
from orders.operations import CANCELLED_BY_THE_SHOP, keep_catalogue, place_order
from project.errors import InvalidInput
from project.events import Line, ProductChanged
from project.plain_text import is_blank
from tests.api.clients import assert_problem, client_of, new_user
from tests.hostile_text import HOSTILE
from tests.inventory.helpers import stocked

pytestmark = pytest.mark.django_db
DIALOG = {"_form_submitted": "True"}
#: What a client can send: JSON has no half of a pair, and its strings no NUL.
SENT = {name: text for name, text in HOSTILE.items() if name not in ("null", "half-a-pair")}
TOO_LONG = "x" * 501
INVISIBLE = ["\u200b", "\u2800\u3164", "\u00a0\u2003 ", "\ufe0f\u200d", "\u115f\u034f\u17b4", "\u2060\ufeff"]
hostile = pytest.mark.parametrize("text", SENT.values(), ids=SENT)


@pytest.fixture
def stock() -> Stock:
    stocked("MUG", north=5)
    return Stock.objects.get()


def placed() -> Order:
    keep_catalogue(
        changes=[ProductChanged(sku="TEA", name="Tea", price=Decimal(2), currency="EUR", active=True, sequence=1)]
    )
    return place_order(customer_id=new_user().pk, lines=[Line(sku="TEA", quantity=1)])


@hostile
def test_names_of_products_locations_and_groups_are_plain_lines(admin_client, admin_user, stock, text):
    name = f"Mug{text}gum"
    product, location = Product.objects.get(), Location.objects.get()
    group = Group.objects.create(name="cooks")
    formset = {"stock-TOTAL_FORMS": "0", "stock-INITIAL_FORMS": "0"}
    forms = {
        "inventory/product/add/": {"sku": "CUP", "price": "1", "currency": "EUR", **formset},
        f"inventory/product/{product.pk}/change/": {"price": "1", "currency": "EUR", **formset},
        "inventory/location/add/": {"code": "west", "priority": "1"},
        f"inventory/location/{location.pk}/change/": {"priority": "1"},
        "auth/group/add/": {},
        f"auth/group/{group.pk}/change/": {},
    }
    for path, form in forms.items():
        answer = admin_client.post(f"/admin/{path}", {**form, "name": name})
        assert answer.status_code == 200, path
        assert list(answer.context["adminform"].errors) == ["name"], path
    api = client_of(admin_user)
    assert_problem(api.post("/api/v1/products/", {"sku": "CUP", "name": name, "price": "1.00"}), 400, "name")
    assert_problem(api.patch("/api/v1/products/MUG/", {"name": name}), 400, "name")
    assert_problem(api.post("/api/v1/locations/", {"code": "west", "name": name}), 400, "name")
    assert_problem(api.patch("/api/v1/locations/north/", {"name": name}), 400, "name")
    assert not any(model.objects.filter(name=name).exists() for model in (Product, Location, Group))


@pytest.mark.parametrize("name", ["\u3164", "\u2800\u2800"])
def test_a_name_is_something_to_see(name):
    with pytest.raises(InvalidInput, match="name"):
        inventory.add_product(sku="CUP", name=name, price=Decimal(1))


@pytest.mark.parametrize("name", ["Tasse à café", "مرحبا", "コーヒー ☕", "Mug, 300 ml"])
def test_a_name_may_be_in_any_language(name):
    assert inventory.add_product(sku="CUP", name=name, price=Decimal(1)).name == name


@pytest.mark.parametrize("priority", [-32_769, 32_768, 2**31])
def test_a_priority_has_the_same_bounds_everywhere(admin_client, admin_user, priority):
    answer = admin_client.post(
        "/admin/inventory/location/add/", {"code": "west", "name": "West", "priority": str(priority)}
    )
    assert list(answer.context["adminform"].errors) == ["priority"]
    body = {"code": "west", "name": "West", "priority": priority}
    assert_problem(client_of(admin_user).post("/api/v1/locations/", body), 400, "priority")
    with pytest.raises(InvalidInput, match="priority"):
        inventory.add_location(**body)


@pytest.mark.parametrize("text", [*SENT.values(), TOO_LONG], ids=[*SENT, "too-long"])
def test_reasons_in_the_ledger_are_short_plain_lines(admin_client, admin_user, stock, text):
    reason = f"delivery{text}7"
    before = Movement.objects.count()
    receive = {**DIALOG, "sku": "MUG", "location": "north", "quantity": "1", "reason": reason}
    adjust = {**DIALOG, "quantity": "1", "reason": reason}
    for path, form in (("receive/", receive), (f"{stock.pk}/adjust/", adjust)):
        answer = admin_client.post(f"/admin/inventory/stock/{path}", form)
        assert "HX-Redirect" not in answer.headers, path
        assert answer.status_code == 200, path
    place = {"sku": "MUG", "location": "north", "quantity": 1, "reason": reason}
    move = {"sku": "MUG", "source": "north", "target": "north", "quantity": 1, "reason": reason}
    api = client_of(admin_user)
    assert_problem(api.post("/api/v1/stock/receive/", place), 400, "reason")
    assert_problem(api.post("/api/v1/stock/adjust/", place), 400, "reason")
    assert "reason" in {error["field"] for error in api.post("/api/v1/stock/transfer/", move).json()["errors"]}
    with pytest.raises(InvalidInput, match="reason"):
        inventory.supply(wanted=[], location="north", reason=reason)
    arrival = inventory.Arrival(line=2, sku="MUG", location="north", quantity=1, reason=reason)
    assert [bad.error.field for bad in inventory.inspect_arrivals(arrivals=[arrival]).bad] == ["reason"]
    assert Movement.objects.count() == before


@pytest.mark.parametrize("reason", INVISIBLE)
def test_a_reason_that_nobody_sees_is_none(stock, reason):
    with pytest.raises(InvalidInput, match="reason"):
        inventory.adjust_stock(sku="MUG", location="north", quantity=1, reason=reason)


@pytest.mark.parametrize("field", ["reason", "message"])
@pytest.mark.parametrize("text", [*SENT.values(), TOO_LONG], ids=[*SENT, "too-long"])
def test_what_is_written_about_a_cancellation_is_a_short_plain_line(admin_client, admin_user, field, text):
    order = placed()
    texts = {"reason": "a fraud?", field: f"sorry{text}."}
    answer = admin_client.post(f"/admin/orders/order/{order.pk}/cancel/", {**DIALOG, **texts})
    assert answer.status_code == 200
    assert "HX-Redirect" not in answer.headers
    assert_problem(client_of(admin_user).post(f"/api/v1/orders/{order.pk}/cancel/", texts), 400, field)
    order.refresh_from_db()
    assert order.status == "placed"


@pytest.mark.parametrize("text", INVISIBLE)
@pytest.mark.parametrize("way", ["admin", "API"])
def test_a_message_that_nobody_sees_counts_as_empty(admin_client, admin_user, text, way):
    order = placed()
    texts = {"reason": "a fraud?", "message": text}
    if way == "admin":
        answer = admin_client.post(f"/admin/orders/order/{order.pk}/cancel/", {**DIALOG, **texts})
        assert "HX-Redirect" in answer.headers
    else:
        assert client_of(admin_user).post(f"/api/v1/orders/{order.pk}/cancel/", texts).status_code == 200
    order.refresh_from_db()
    assert order.reason == CANCELLED_BY_THE_SHOP
    assert OrderChange.objects.get(to_status="cancelled").reason == "a fraud?"


def test_what_can_be_seen_is_not_blank():
    assert not any(map(is_blank, ["a", "\u200ba", "☕️", "م", "."]))
    assert is_blank("")
