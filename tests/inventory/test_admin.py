import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory import operations
from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from project.events import ProductChanged
from tests.inventory.helpers import figures, placed, stocked

pytestmark = pytest.mark.django_db

MODELS = ("product", "location", "stock", "allocation", "reservation", "movement")


def changelist(model: str) -> str:
    return reverse(f"admin:inventory_{model}_changelist")


def no_inline(prefix: str = "stock") -> dict[str, str]:
    return {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}


def test_a_product_added_in_admin_is_announced_once(admin_client, published):
    form = {"sku": "MUG", "name": "Mug", "price": "9.90", "currency": "EUR", "active": "on"}

    answer = admin_client.post(reverse("admin:inventory_product_add"), form | no_inline())

    assert answer.status_code == 302
    (event,) = published(ProductChanged)
    assert (event.sku, event.sequence) == ("MUG", 1)


def test_a_product_changed_in_admin_is_announced_once_and_keeps_its_sku(admin_client, published):
    product = stocked("MUG", north=1)
    form = {"sku": "CUP", "name": "Mug", "price": "8.50", "currency": "EUR", "active": "on"}

    answer = admin_client.post(reverse("admin:inventory_product_change", args=[product.pk]), form | no_inline())

    assert answer.status_code == 302
    assert [(event.sku, event.sequence) for event in published(ProductChanged)] == [("MUG", 1), ("MUG", 2)]
    assert Product.objects.get().price == operations.change_product(sku="MUG").price


def test_a_malformed_product_is_refused_in_the_form(admin_client, published):
    form = {"sku": "a b", "name": "Mug", "price": "-1", "currency": "eur"}

    answer = admin_client.post(reverse("admin:inventory_product_add"), form | no_inline())

    assert answer.status_code == 200
    assert set(answer.context["adminform"].errors) == {"sku", "price", "currency"}
    assert published(ProductChanged) == []


def test_a_product_cannot_be_deleted(admin_client):
    product = stocked("MUG", north=0)

    assert admin_client.post(reverse("admin:inventory_product_delete", args=[product.pk])).status_code == 403


def test_a_location_is_added_and_closed(admin_client):
    form = {"code": "west", "name": "West", "priority": "3"}

    assert admin_client.post(reverse("admin:inventory_location_add"), form | {"active": "on"}).status_code == 302
    location = Location.objects.get()
    assert (location.code, location.name, location.priority, location.active) == ("west", "West", 3, True)

    address = reverse("admin:inventory_location_change", args=[location.pk])
    assert admin_client.post(address, form | {"code": "east"}).status_code == 302
    location.refresh_from_db()
    assert (location.code, location.active) == ("west", False), "a code is chosen once"
    assert admin_client.post(reverse("admin:inventory_location_delete", args=[location.pk])).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_the_same_queries_for_one_row_and_for_many(admin_client, model):
    def rows(first: int, last: int) -> None:
        for number in range(first, last):
            stocked(f"S{number}", **{f"place{number}": 5, f"other{number}": 5})
            operations.reserve_stock(orders=[placed(**{f"S{number}": 7})])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = admin_client.get(changelist(model))
        assert answer.status_code == 200
        return len(captured)

    rows(0, 1)
    admin_client.get(changelist(model))  # fills Django's caches
    few = queries()
    rows(1, 6)
    assert queries() == few


@pytest.mark.parametrize("model", MODELS)
def test_every_row_has_a_page(admin_client, model):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[placed(MUG=2)])
    row = {
        "product": Product,
        "stock": Stock,
        "allocation": Allocation,
        "reservation": Reservation,
        "movement": Movement,
    }
    pk = row[model].objects.first().pk if model in row else Stock.objects.get().location_id

    assert admin_client.get(reverse(f"admin:inventory_{model}_change", args=[pk])).status_code == 200


@pytest.mark.parametrize("model", ["stock", "allocation", "reservation", "movement"])
def test_stock_and_ledger_are_read_only(admin_client, model):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[placed(MUG=2)])
    row = {"stock": Stock, "allocation": Allocation, "reservation": Reservation, "movement": Movement}[model]
    pk = row.objects.first().pk
    before = row.objects.filter(pk=pk).values().get()

    assert admin_client.post(reverse(f"admin:inventory_{model}_add")).status_code == 403
    assert admin_client.post(reverse(f"admin:inventory_{model}_change", args=[pk]), {"on_hand": 7}).status_code == 403
    assert admin_client.post(reverse(f"admin:inventory_{model}_delete", args=[pk])).status_code == 403
    assert row.objects.filter(pk=pk).values().get() == before


def test_stock_links_to_its_movements(admin_client):
    stocked("MUG", north=5)
    stocked("TEE", north=3)
    stock = Stock.objects.get(product__sku="MUG")

    link = f"{changelist('movement')}?stock__id__exact={stock.pk}"
    assert link in admin_client.get(changelist("stock")).content.decode()
    assert [row.stock_id for row in admin_client.get(link).context["cl"].result_list] == [stock.pk]


def test_an_allocation_links_to_its_movements(admin_client):
    stocked("MUG", north=5)
    orders = [placed(MUG=1), placed(MUG=2)]
    operations.reserve_stock(orders=orders)

    link = f"{changelist('movement')}?q={orders[0].order_id}"
    page = admin_client.get(reverse("admin:inventory_allocation_change", args=[orders[0].order_id]))
    assert link in page.content.decode()
    assert [row.order_id for row in admin_client.get(link).context["cl"].result_list] == [orders[0].order_id]


def test_movements_are_found_by_the_id_of_their_order_or_event(admin_client):
    stocked("MUG", north=5)
    order, other = placed(MUG=1), placed(MUG=2)
    operations.reserve_stock(orders=[order, other])

    for wanted in (order.order_id, order.id):
        found = admin_client.get(changelist("movement"), {"q": str(wanted)}).context["cl"].result_list
        assert [row.order_id for row in found] == [order.order_id]


def test_a_search_for_part_of_an_id_says_that_it_takes_a_whole_one(admin_client):
    answer = admin_client.get(changelist("allocation"), {"q": "0192"})

    assert "is not a whole id" in answer.content.decode()


RECEIPT = {"sku": "MUG", "location": "north", "quantity": "5", "reason": "note 12", "_form_submitted": "True"}


def test_received_stock_names_who_received_it(admin_client, admin_user):
    stocked("MUG", north=0)
    address = reverse("admin:inventory_stock_receive")
    assert admin_client.get(address).status_code == 200

    answer = admin_client.post(address, RECEIPT)

    assert answer["HX-Redirect"] == reverse("admin:inventory_stock_change", args=[Stock.objects.get().pk])
    assert figures("MUG", "north") == (5, 0)
    movement = Movement.objects.get()
    assert (movement.kind, movement.actor_id, movement.reason) == ("received", admin_user.pk, "note 12")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sku": "GHOST"}, "No product has the SKU"),
        ({"quantity": "0"}, "Must be from 1 to"),
        ({"quantity": "many"}, "Enter a whole number"),
        ({"location": "moon"}, "Select a valid choice"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_a_refused_receipt_says_why_in_the_dialog(admin_client, change, said):
    stocked("MUG", north=0)

    answer = admin_client.post(reverse("admin:inventory_stock_receive"), RECEIPT | change)

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert "HX-Redirect" not in answer
    assert not Movement.objects.exists()


def test_an_adjustment_names_who_made_it_and_why(admin_client, admin_user):
    stocked("MUG", north=5)
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])

    admin_client.post(address, {"quantity": "-2", "reason": "two broke", "_form_submitted": "True"})

    assert figures("MUG", "north") == (3, 0)
    movement = Movement.objects.get(kind="adjusted")
    assert (movement.actor_id, movement.reason) == (admin_user.pk, "two broke")


def test_an_adjustment_below_what_is_reserved_says_why_in_the_dialog(admin_client):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[placed(MUG=4)])
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])

    answer = admin_client.post(address, {"quantity": "-2", "reason": "two broke", "_form_submitted": "True"})

    assert "at most 1 can go" in answer.content.decode()
    assert figures("MUG", "north") == (5, 4)


@pytest.mark.parametrize("object_id", ["4711", "abc"])
def test_there_is_nothing_to_adjust_where_there_is_no_stock(admin_client, object_id):
    address = reverse("admin:inventory_stock_adjust", args=[object_id])

    answer = admin_client.post(address, {"quantity": "1", "reason": "found", "_form_submitted": "True"})

    assert answer.status_code == 404


def test_who_may_only_look_may_not_receive_or_adjust(client):
    stocked("MUG", north=5)
    clerk = get_user_model().objects.create_user(email="clerk@example.org", password="battery horse", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_stock"))
    client.force_login(clerk)

    assert client.get(changelist("stock")).status_code == 200
    assert client.post(reverse("admin:inventory_stock_receive"), RECEIPT).status_code == 403
    address = reverse("admin:inventory_stock_adjust", args=[Stock.objects.get().pk])
    answer = client.post(address, {"quantity": "1", "reason": "found", "_form_submitted": "True"})
    assert answer.status_code == 403
    assert figures("MUG", "north") == (5, 0)


def test_a_product_is_found_by_its_sku_a_word_of_its_name_and_whether_it_is_sold(admin_client):
    for sku, name, active in (("MUG-1", "Blue mug", True), ("MUG-2", "Red mug", False), ("TEE", "Blue shirt", True)):
        operations.add_product(sku=sku, name=name, price="9.90", active=active)
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


def test_a_product_has_a_page_under_its_sku_where_it_is_changed(admin_client):
    product = stocked("MUG", north=1)
    address = "/admin/inventory/product/MUG/change/"
    assert admin_client.get(address).status_code == 200
    form = {"name": "Mug", "price": "8.50", "currency": "EUR", "active": "on"}
    assert admin_client.post(address, form | no_inline()).status_code == 302
    product.refresh_from_db()
    assert str(product.price) == "8.50"


def test_the_ledger_is_read_by_what_people_did_and_by_what_orders_did(admin_client):
    stocked("MUG", north=5)
    operations.adjust_stock(sku="MUG", location="north", quantity=-1, reason="broke")
    operations.reserve_stock(orders=[placed(MUG=1)])
    for kind, found in ("received", ["received"]), ("adjusted", ["adjusted"]), ("orders", ["reserved"]):
        page = admin_client.get(changelist("movement"), {"kind": kind})
        assert [row.kind for row in page.context["cl"].result_list] == found
    assert "5 (+5)" in admin_client.get(changelist("movement"), {"kind": "received"}).content.decode()
