"""What anybody with a staff account can send to the admin: each answer is a page, a redirect or a refusal."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from uuid_utils.compat import uuid7

from orders.models import Order
from project.adminkit import LargeTableAdmin
from users.models import User

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
REFUSED = "There is no such page or filter, so this is the whole list."
ORDERS = "/admin/orders/order/"


def page(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.fixture
def careless(admin_user):
    """A superuser's client that gets a 500 as anybody would."""
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)
    return client


def test_every_table_refuses_look_ups_that_its_page_does_not_offer(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    for model, model_admin in admin.site._registry.items():
        assert isinstance(model_admin, LargeTableAdmin), model
        filters = [getattr(one, "parameter_name", "") for one in model_admin.list_filter]
        for field in model._meta.get_fields():
            for lookup in (
                "",
                "__regex",
                "__iregex",
                "__icontains",
                "__startswith",
                "__in",
                "__range",
                "__a__b",
                "__year",
            ):
                name = f"{field.name}{lookup}"
                assert name in filters or not model_admin.lookup_allowed(name, "x", request), (model, name)


@pytest.mark.parametrize(
    "query",
    [
        "email__regex=(a%2B)%2B$",
        "email=ada@example.org",
        "password__startswith=argon2",
        "pk__regex=a",
        "groups__permissions__codename__icontains=a",
        "email__isnull=1",
        "is_active__in=" + "1," * 10_000,
        "date_joined__range=a,b",
        "date_joined__year=99999",
        "nothing__like__it=1",
        "is_active__exact=2&is_active__isnull=perhaps",
    ],
)
def test_a_look_up_that_no_page_offers_leads_to_the_whole_list(careless, query):
    answer = careless.get(f"/admin/users/user/?{query}", follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain == [("/admin/users/user/?e=1", 302)]
    assert REFUSED in answer.content.decode()
    assert careless.get(f"/admin/users/user/?e=1&{query}").status_code == 400


@pytest.mark.parametrize(
    "path", ["bus/event/?data__a__b=1", "bus/auditentry/?request__has_key=a", "bus/event/?sequence__gt=1"]
)
def test_the_tables_of_the_bus_refuse_look_ups_too(careless, path):
    assert REFUSED in careless.get(f"/admin/{path}", follow=True).content.decode()


def test_the_filters_and_links_of_pages_work(careless, admin_user):
    for query in ("is_active__exact=1", "is_staff__exact=0", "is_active__isnull=True"):
        assert REFUSED not in careless.get(f"/admin/users/user/?{query}", follow=True).content.decode()
    for path in (
        "inventory/movement/?stock__id__exact=1",
        "inventory/movement/?kind=orders",
        "inventory/reservation/?stock__id__exact=1&state__exact=active",
        "inventory/stock/?location__id__exact=1",
        "bus/delivery/?state=dead&handler=orders.confirm_orders",
    ):
        assert careless.get(f"/admin/{path}").status_code == 200, path


@pytest.mark.parametrize("model", MODELS)
def test_no_parameter_of_a_list_fails(careless, model):
    for query in (
        *("o=1", "o=99999", "o=z", "p=-1", "p=z", "p=" + "9" * 5000, "all=", "_popup=1", "_facets=True", "e=1"),
        *("_to_field=password", "_changelist_filters=a%3Db%26_changelist_filters%3Dc", "q=" + "a" * 100_000),
        *("q=" + quote("%_\\'\";--"), "q=(a%2B)%2B$", "q=9999999999999999999999", "available__gt=1", "e=1&p=77"),
    ):
        assert careless.get(f"{page(model)}?{query}", follow=True).status_code in (200, 400), query


def orders(queries):
    return [query["sql"].rpartition("ORDER BY")[2] for query in queries if "ORDER BY" in query["sql"]]


@pytest.mark.parametrize("model", MODELS)
def test_a_list_is_sorted_by_no_column_whose_heading_does_not_offer_it(careless, model):
    with CaptureQueriesContext(connection) as usual:
        careless.get(page(model))
    for column in range(1, len(admin.site._registry[model].list_display) + 1):
        with CaptureQueriesContext(connection) as sorted_by_column:
            careless.get(page(model), {"o": f"-{column}"})
        assert orders(sorted_by_column) == orders(usual)


def test_a_list_is_sorted_by_the_columns_that_offer_it(careless, monkeypatch):
    monkeypatch.setattr(admin.site._registry[User], "sortable_by", ("date_joined",))
    # The first column is that of the checkboxes.
    for column, order in ((5, "date_joined"), (0, "id"), (1, "id"), (2, "id")):
        with CaptureQueriesContext(connection) as sorted_by_column:
            careless.get("/admin/users/user/", {"o": f"-{column}"})
        assert f'."{order}" DESC' in orders(sorted_by_column)[-1].split(",")[0]


@pytest.mark.parametrize("key", ["zzz", "%00", "9" * 40, "_00", "a%0ab", "1'--"])
def test_no_key_in_an_address_fails(careless, key):
    for model in MODELS:
        for tail in ("change/", "history/", "delete/", "", "password/", "retry/", "cancel/", "adjust/"):
            answer = careless.get(f"{page(model)}{key}/{tail}")
            assert answer.status_code < 500, (model, tail)
        kind = ContentType.objects.get_for_model(model)
        assert careless.get(f"/admin/r/{kind.pk}/{key}/").status_code in (400, 404)


@pytest.mark.parametrize(
    "query", ["s=a&page=z", "s=a&page=0", "s=a&page=99", "s=a&page=-1", "s=a&page=", "s=%00", "s=a&extended=1&page=1.5"]
)
def test_the_search_of_the_menu_answers_every_page_number(careless, query):
    assert careless.get(f"/admin/search/?{query}").status_code in (200, 400, 404)


def test_the_search_of_the_menu_finds_tables(careless):
    assert "Orders" in careless.get("/admin/search/?s=orders&page=1").content.decode()


def test_only_fields_that_a_form_completes_can_be_searched_for(careless, monkeypatch):
    def search(model, field, term="a"):
        names = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
        return careless.get("/admin/autocomplete/", names | {"term": term})

    for model in MODELS:
        for field in model._meta.get_fields():
            assert search(model, field.name).status_code == 403
    assert search(User, "nothing").status_code == 403
    assert careless.get("/admin/autocomplete/?page=z").status_code == 403
    monkeypatch.setattr(admin.site._registry[User], "autocomplete_fields", ("groups",))
    assert [found["text"] for found in search(User, "groups").json()["results"]] == ["auditor"]
    assert search(User, "groups", term="\0").status_code == 400


@pytest.mark.parametrize("query", ["q=%00", "is_active__exact=%00", "s=%00", "%00=1"])
def test_a_nul_byte_in_an_address_is_refused(careless, query):
    for path in ("/admin/users/user/", "/admin/search/", "/admin/login/", "/"):
        assert careless.get(f"{path}?{query}").status_code == 400


@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "messages"])
def test_a_cookie_with_a_nul_byte_is_refused(careless, cookie):
    careless.cookies[cookie] = "\0" * 20
    assert careless.get("/admin/login/").status_code == 400


def place(number):
    return Order.objects.bulk_create(Order(customer_id=uuid7(), currency="EUR", total=1) for _ in range(number))


def cancel(client, **fields):
    return client.post(ORDERS, {"action": "cancel_orders", **fields}, follow=True).content.decode()


def test_an_action_on_more_rows_than_a_page_shows_changes_nothing(careless):
    orders = place(94)
    for fields in (
        {"select_across": "1", "_selected_action": [orders[0].pk]},
        {"select_across": "true", "index": "0", "_selected_action": ["x"]},
        {"_selected_action": [order.pk for order in orders]},
        {"_selected_action": [order.pk for order in orders[:51]]},
    ):
        shown = cancel(careless, **fields)
        assert "are selected, and nothing was changed: one action changes at most 50." in shown
        assert not Order.objects.exclude(status="placed").exists()
    assert "94 orders are selected" in cancel(careless, select_across="1", _selected_action=["x"])
    assert "Orders cancelled: 50." in cancel(careless, _selected_action=[order.pk for order in orders[:50]])
    assert (
        "Orders cancelled: 44."
        in careless.post(
            f"{ORDERS}?status__exact=placed",
            {"action": "cancel_orders", "select_across": "1", "_selected_action": ["x"]},
            follow=True,
        ).content.decode()
    )


@pytest.mark.parametrize("key", ["zzz", "\0", "", "9" * 400])
def test_an_action_on_something_that_is_no_row_changes_nothing(careless, key):
    order = place(1)[0]
    assert "one of the selected rows is unknown" in cancel(careless, _selected_action=[order.pk, key])
    assert Order.objects.get().status == "placed"


def test_every_action_of_every_table_is_bounded(careless, admin_user, rf, monkeypatch):
    request = rf.get("/")
    request.user = admin_user
    acted = []
    for model, model_admin in admin.site._registry.items():
        assert "delete_selected" not in model_admin.get_actions(request)
        for name in model_admin.get_actions(request):
            monkeypatch.setattr(model_admin, "max_action_rows", 2)
            keys = [uuid7() for _ in range(3)] if model is Order else ["1", "2", "3"]
            answer = careless.post(page(model), {"action": name, "_selected_action": keys}, follow=True)
            assert "are selected, and nothing was changed" in answer.content.decode(), name
            acted.append(name)
    assert {"cancel_orders", "retry_dead_letters"} <= set(acted)


def test_a_nul_byte_is_refused_where_no_middleware_refuses_it(careless, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "nul_bytes" not in name]
    for query in ("q=%00", "is_active__exact=%00"):
        assert careless.get(f"/admin/users/user/?{query}").status_code in (200, 302)
    for tail in ("change", "history", "delete"):
        assert careless.get(f"/admin/bus/failurecount/%00/{tail}/").status_code in (302, 403)


@pytest.mark.parametrize("path", ["users/user", "bus/event", "orders/order", "inventory/product"])
def test_a_search_for_a_term_that_is_too_long_finds_nothing_and_says_so(careless, path):
    with CaptureQueriesContext(connection) as queries:
        shown = careless.get(f"/admin/{path}/", {"q": "a" * 321}).content.decode()
    assert "Search for at most 320 characters" in shown
    assert not [query for query in queries if "a" * 321 in query["sql"]]
