from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory import operations
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from project.events import ProductChanged
from tests.inventory.helpers import order_for, stock_figures, stocked

pytestmark = pytest.mark.django_db

MODELS = ("product", "location", "stock", "allocation", "reservation", "movement")


def changelist(model: str) -> str:
    return reverse(f"admin:inventory_{model}_changelist")


def empty_formset(prefix: str = "stock") -> dict[str, str]:
    return {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}


def test_added_product_is_announced_once(admin_client, published):
    form = {"sku": "MUG", "name": "Mug", "price": "9.90", "currency": "EUR", "active": "on"}

    answer = admin_client.post(reverse("admin:inventory_product_add"), form | empty_formset())

    assert answer.status_code == 302
    (event,) = published(ProductChanged)
    assert (event.sku, event.sequence) == ("MUG", 1)


def test_changed_product_is_announced_once_and_keeps_its_sku(admin_client, published):
    product = stocked("MUG", north=1)
    form = {"sku": "CUP", "name": "Mug", "price": "8.50", "currency": "EUR", "active": "on"}

    answer = admin_client.post(reverse("admin:inventory_product_change", args=[product.pk]), form | empty_formset())

    assert answer.status_code == 302
    assert [(event.sku, event.sequence) for event in published(ProductChanged)] == [("MUG", 1), ("MUG", 2)]
    assert Product.objects.get().price == operations.change_product(sku="MUG").price


def test_form_refuses_an_invalid_product(admin_client, published):
    form = {"sku": "a b", "name": "Mug", "price": "-1", "currency": "eur"}

    answer = admin_client.post(reverse("admin:inventory_product_add"), form | empty_formset())

    assert answer.status_code == 200
    assert set(answer.context["adminform"].errors) == {"sku", "price", "currency"}
    assert published(ProductChanged) == []


def test_products_cannot_be_deleted(admin_client):
    product = stocked("MUG", north=0)

    assert admin_client.post(reverse("admin:inventory_product_delete", args=[product.pk])).status_code == 403


def test_location_is_added_and_deactivated_but_keeps_its_code(admin_client):
    form = {"code": "west", "name": "West", "priority": "3"}

    assert admin_client.post(reverse("admin:inventory_location_add"), form | {"active": "on"}).status_code == 302
    location = Location.objects.get()
    assert (location.code, location.name, location.priority, location.active) == ("west", "West", 3, True)

    address = reverse("admin:inventory_location_change", args=[location.pk])
    assert admin_client.post(address, form | {"code": "east"}).status_code == 302
    location.refresh_from_db()
    assert (location.code, location.active) == ("west", False), "the code cannot change"
    assert admin_client.post(reverse("admin:inventory_location_delete", args=[location.pk])).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_list_takes_the_same_queries_for_any_length(admin_client, model):
    def rows(first: int, last: int) -> None:
        for number in range(first, last):
            stocked(f"S{number}", **{f"place{number}": 5, f"other{number}": 5})
            operations.reserve_stock(orders=[order_for(**{f"S{number}": 7})])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = admin_client.get(changelist(model))
        assert answer.status_code == 200
        return len(captured)

    rows(0, 1)
    admin_client.get(changelist(model))  # fills caches, such as that of content types
    few = queries()
    rows(1, 6)
    assert queries() == few


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_detail_page(admin_client, model):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[order_for(MUG=2)])
    row = {
        "product": Product,
        "stock": Stock,
        "allocation": Allocation,
        "reservation": Reservation,
        "movement": Movement,
    }
    pk = row[model]._default_manager.earliest("pk").pk if model in row else Stock.objects.get().location_id

    assert admin_client.get(reverse(f"admin:inventory_{model}_change", args=[pk])).status_code == 200


@pytest.mark.parametrize("model", ["stock", "allocation", "reservation", "movement"])
def test_stock_and_ledger_are_read_only(admin_client, model):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[order_for(MUG=2)])
    row = {"stock": Stock, "allocation": Allocation, "reservation": Reservation, "movement": Movement}[model]
    pk = row._default_manager.earliest("pk").pk
    before = row._default_manager.filter(pk=pk).values().get()

    assert admin_client.post(reverse(f"admin:inventory_{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:inventory_{model}_change", args=[pk]), {"on_hand": 7}).status_code == 403
    assert admin_client.post(reverse(f"admin:inventory_{model}_delete", args=[pk])).status_code == 403
    assert row._default_manager.filter(pk=pk).values().get() == before


def test_stock_links_to_its_movements(admin_client):
    stocked("MUG", north=5)
    stocked("TEE", north=3)
    stock = Stock.objects.get(product__sku="MUG")

    link = f"{changelist('movement')}?stock__id__exact={stock.pk}"
    assert link in admin_client.get(changelist("stock")).content.decode()
    assert [row.stock_id for row in admin_client.get(link).context["cl"].result_list] == [stock.pk]


def test_allocation_links_to_its_movements(admin_client):
    stocked("MUG", north=5)
    orders = [order_for(MUG=1), order_for(MUG=2)]
    operations.reserve_stock(orders=orders)

    link = f"{changelist('movement')}?q={orders[0].order_id}"
    page = admin_client.get(reverse("admin:inventory_allocation_change", args=[orders[0].order_id]))
    assert link in page.content.decode()
    assert [row.order_id for row in admin_client.get(link).context["cl"].result_list] == [orders[0].order_id]


def test_movements_are_found_by_order_id_or_event_id(admin_client):
    stocked("MUG", north=5)
    order, other = order_for(MUG=1), order_for(MUG=2)
    operations.reserve_stock(orders=[order, other])

    for wanted in (order.order_id, order.id):
        found = admin_client.get(changelist("movement"), {"q": str(wanted)}).context["cl"].result_list
        assert [row.order_id for row in found] == [order.order_id]


def test_search_for_part_of_an_id_asks_for_the_whole_id(admin_client):
    answer = admin_client.get(changelist("allocation"), {"q": "0192"})

    assert "is not a whole id" in answer.content.decode()


RECEIPT = {"sku": "MUG", "location": "north", "quantity": "5", "reason": "note 12", "_form_submitted": "True"}


def test_received_stock_records_the_user(admin_client, admin_user):
    stocked("MUG", north=0)
    address = reverse("admin:inventory_stock_receive")
    assert admin_client.get(address).status_code == 200

    answer = admin_client.post(address, RECEIPT)

    assert answer["HX-Redirect"] == reverse("admin:inventory_stock_change", args=[Stock.objects.get().pk])
    assert stock_figures("MUG", "north") == (5, 0)
    movement = Movement.objects.get()
    assert (movement.kind, movement.actor_id, movement.reason) == ("received", admin_user.pk, "note 12")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sku": "GHOST"}, "No product has the SKU"),
        ({"quantity": "0"}, "Must be from 1 to"),
        ({"quantity": "many"}, "Enter a whole number"),
        ({"location": "moon"}, "Select a valid choice"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_refused_receipt_is_explained_in_the_dialog(admin_client, change, message):
    stocked("MUG", north=0)

    answer = admin_client.post(reverse("admin:inventory_stock_receive"), RECEIPT | change)

    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert "HX-Redirect" not in answer
    assert not Movement.objects.exists()


def test_adjustment_records_the_user_and_the_reason(admin_client, admin_user):
    stocked("MUG", north=5)
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])

    admin_client.post(address, {"quantity": "-2", "reason": "two broke", "_form_submitted": "True"})

    assert stock_figures("MUG", "north") == (3, 0)
    movement = Movement.objects.get(kind="adjusted")
    assert (movement.actor_id, movement.reason) == (admin_user.pk, "two broke")


def test_adjustment_below_the_reserved_units_is_explained_in_the_dialog(admin_client):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[order_for(MUG=4)])
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])

    answer = admin_client.post(address, {"quantity": "-2", "reason": "two broke", "_form_submitted": "True"})

    assert "at most 1 can be removed" in answer.content.decode()
    assert stock_figures("MUG", "north") == (5, 4)


@pytest.mark.parametrize("object_id", ["4711", "abc"])
def test_adjusting_unknown_stock_is_a_404(admin_client, object_id):
    address = reverse("admin:inventory_stock_adjust", args=[object_id])

    answer = admin_client.post(address, {"quantity": "1", "reason": "found", "_form_submitted": "True"})

    assert answer.status_code == 404


def test_receiving_and_adjusting_require_the_change_permission(client):
    stocked("MUG", north=5)
    clerk = get_user_model().objects.create_user(email="clerk@example.org", password="battery horse", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_stock"))
    client.force_login(clerk)

    assert client.get(changelist("stock")).status_code == 200
    assert client.post(reverse("admin:inventory_stock_receive"), RECEIPT).status_code == 403
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])
    answer = client.post(address, {"quantity": "1", "reason": "found", "_form_submitted": "True"})
    assert answer.status_code == 403
    assert stock_figures("MUG", "north") == (5, 0)


def test_products_are_found_by_sku_by_a_word_of_their_name_and_by_active(admin_client):
    for sku, name, active in (
        ("MUG-1", "Blue mug", True),
        ("MUG-2", "Red mug", False),
        ("TEE", "Blue shirt", True),
    ):
        operations.add_product(sku=sku, name=name, price=Decimal("9.90"), active=active)
    for query, found in (
        ({"q": "MUG"}, {"MUG-1", "MUG-2"}),
        ({"q": "blu"}, {"MUG-1", "TEE"}),
        ({"q": "Blue mug"}, {"MUG-1"}),
        ({"q": "%"}, set()),
        ({"q": "'; --"}, set()),
        ({"active__exact": "0"}, {"MUG-2"}),
    ):
        page = admin_client.get(changelist("product"), query)
        assert {row.sku for row in page.context["cl"].result_list} == found, query


def test_product_page_is_found_under_the_sku(admin_client):
    product = stocked("MUG", north=1)
    address = "/admin/inventory/product/MUG/change/"
    assert admin_client.get(address).status_code == 200
    form = {"name": "Mug", "price": "8.50", "currency": "EUR", "active": "on"}
    assert admin_client.post(address, form | empty_formset()).status_code == 302
    product.refresh_from_db()
    assert str(product.price) == "8.50"


def test_movements_are_filtered_by_kind(admin_client):
    stocked("MUG", north=5)
    operations.adjust_stock(sku="MUG", location="north", quantity=-1, reason="broke")
    operations.reserve_stock(orders=[order_for(MUG=1)])
    for kind, found in ("received", ["received"]), ("adjusted", ["adjusted"]), ("orders", ["reserved"]):
        page = admin_client.get(changelist("movement"), {"kind": kind})
        assert [row.kind for row in page.context["cl"].result_list] == found
    assert "5 (+5)" in admin_client.get(changelist("movement"), {"kind": "received"}).content.decode()
