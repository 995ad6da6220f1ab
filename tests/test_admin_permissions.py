"""Permissions in the admin: each page, dialog and action has a row in these tables, written manually.

People: s is a member of "shop staff", k a "stock keeper", o an "operator", a an "auditor", and S a superuser. All
others, such as customers and staff without permissions, may do nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from inventory.models import Allocation, Location, Movement, Product, Reservation, Stock
from inventory.operations import reserve_stock
from orders.models import CatalogueItem
from orders.operations import place_order
from project.audit.models import Change
from project.bus.models import (
    AuditEntry,
    Delivery,
    Event,
    Failure,
    FailureCount,
    Receipt,
    RefusedMessage,
    Subscription,
)
from project.console.groups import READY_MADE
from project.events import Line
from tests.api.clients import member_of, new_user
from tests.inventory.helpers import order_for, rolled_back, stocked
from users.models import MailCount, User

MODELS = """
table                   view   add  change  delete
bus.event                oaS     -       -       -
bus.delivery             oaS     -       -       -
bus.receipt              oaS     -       -       -
bus.failure              oaS     -       -       -
bus.failurecount         oaS     -       -       -
bus.refusedmessage       oaS     -       -       -
bus.subscription         oaS     -       -       -
bus.auditentry           oaS     -       -       -
audit.change              aS     -       -       -
users.user               saS     S       S       -
users.mailcount           aS     -       -       -
auth.group                aS     S       S       S
orders.order            soaS     -       -       -
orders.catalogueitem     saS     -       -       -
inventory.product       skaS    sS      sS       -
inventory.location       kaS    kS      kS       -
inventory.stock          kaS     -       -       -
inventory.movement       kaS     -       -       -
inventory.allocation     kaS     -       -       -
inventory.reservation    kaS     -       -       -
"""
#: Pages and dialogs that change something.
PAGES = """
bus_delivery_retry           oS
orders_order_cancel          sS
inventory_stock_receive      kS
inventory_stock_adjust       kS
auth_user_password_change     S
"""
#: Actions on the selected rows of a list.
ACTIONS = """
bus.delivery retry_dead_letters   oS
orders.order cancel_orders        sS
users.user mark_addresses_confirmed S
users.user clear_lock_outs        S
"""
#: For all staff.
FOR_STAFF = ("index", "search", "jsi18n", "password_change", "password_change_done")
#: Log-in and log-out are for anyone. Without permissions the others show nothing: each has a test below.
OTHERS = ("login", "logout", "autocomplete", "app_list")

LETTERS = dict(zip(READY_MADE, "skoa", strict=True)) | {"superuser": "S"}
KINDS = ("anonymous", "customer", "staff", *LETTERS)


def rows(table: str) -> Iterator[list[str]]:
    yield from (line.split() for line in table.strip("\n").splitlines())


COLUMNS = ("view", "add", "change", "delete")
MODEL_ROWS = {label: dict(zip(COLUMNS, who, strict=True)) for label, *who in list(rows(MODELS))[1:]}
PAGE_ROWS = dict(rows(PAGES))
ACTION_ROWS = {(label, name): who for label, name, who in rows(ACTIONS)}


def names(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        else:
            assert isinstance(pattern, URLPattern)
            # The address of a row redirects to its page, and any other address is a 404.
            assert pattern.name or str(pattern.pattern) in ("<path:object_id>/", "(?P<url>.*)$")
            yield from [pattern.name] if pattern.name else []


def test_the_tables_have_exactly_the_pages_of_the_admin():
    pages = ("changelist", "add", "history", "delete", "change")
    of_models = {f"{label.replace('.', '_')}_{page}" for label in MODEL_ROWS for page in pages}
    assert set(names(admin.site.get_urls())) == {*of_models, *PAGE_ROWS, *FOR_STAFF, *OTHERS}


def test_the_table_has_exactly_the_actions_of_the_lists():
    admins = admin.site._registry.items()
    actions = {
        (model._meta.label_lower, action) for model, model_admin in admins for action in model_admin.actions or ()
    }
    assert actions == set(ACTION_ROWS)


@dataclass(frozen=True, kw_only=True)
class World:
    people: dict[str, User | None]
    #: A row of each table, and one for each page.
    objects: dict[str, Any]


@pytest.fixture
def world(db: None) -> World:
    people = {kind: member_of(kind) for kind in READY_MADE}
    people |= {"customer": new_user(), "staff": new_user(is_staff=True)}
    people |= {"superuser": new_user(is_staff=True, is_superuser=True)}
    customer = people["customer"]
    stocked("MUG", north=5)
    CatalogueItem.objects.create(sku="MUG", name="Mug", price=1, currency="EUR", active=True, sequence=1)
    order = place_order(customer_id=customer.pk, lines=[Line(sku="MUG", quantity=1)])
    reserve_stock(orders=[order_for(MUG=1)])
    event = Event.objects.get(subject=str(order.pk))
    delivery = Delivery.objects.filter(event=event).first()
    assert delivery
    common: dict[str, Any] = {"event": event, "handler": delivery.handler}
    objects = [
        *(event, delivery, order, customer, Group.objects.first(), CatalogueItem.objects.get(), Change.objects.first()),
        *(
            model.objects.first()
            for model in (Product, Location, Stock, Movement, Allocation, Reservation, Subscription)
        ),
        Receipt.objects.create(delivery_id=2**40, outcome="done", attempts=1, worker="w", **common),
        Failure.objects.create(delivery_id=1, attempt=1, error="E", signature="s", worker="w", **common),
        FailureCount.objects.create(signature="s", handler="h", error="E", count=1),
        RefusedMessage.objects.create(queue="orders", reason="r", count=1, sample=""),
        MailCount.objects.create(recipient="0f" * 32, day="2026-01-01"),
        AuditEntry.objects.create(actor="ann", action="retry", request={}, outcome={}),
    ]
    by_label = {row._meta.label_lower: row for row in objects if row}
    assert set(by_label) == set(MODEL_ROWS)
    return World(
        people={"anonymous": None, **people},
        objects=by_label
        | {
            "bus_delivery_retry": delivery,
            "orders_order_cancel": order,
            "inventory_stock_receive": None,
            "inventory_stock_adjust": by_label["inventory.stock"],
            "auth_user_password_change": customer,
        },
    )


def client_of(person: User | None) -> Client:
    client = Client()
    if person:
        client.force_login(person)
    return client


def address(name: str, row: Any = None) -> str:
    return reverse(f"admin:{name}", args=[quote(str(row.pk))] if row else [])


def requests(world: World) -> Iterator[tuple[str, str, dict[str, str] | None, str]]:
    """Yield each page with the form that is posted to it, if any, and the letters of those who may."""
    for label, may in MODEL_ROWS.items():
        prefix, row = label.replace(".", "_"), world.objects[label]
        yield f"list of {label}", address(f"{prefix}_changelist"), None, may["view"]
        yield f"history of {label}", address(f"{prefix}_history", row), None, may["view"]
        yield f"page of {label}", address(f"{prefix}_change", row), None, may["view"]
        yield f"form of {label}", address(f"{prefix}_add"), None, may["add"]
        yield f"adding {label}", address(f"{prefix}_add"), {}, may["add"]
        yield f"changing {label}", address(f"{prefix}_change", row), {}, may["change"]
        yield f"asking to delete {label}", address(f"{prefix}_delete", row), None, may["delete"]
        yield f"deleting {label}", address(f"{prefix}_delete", row), {"post": "yes"}, may["delete"]
    for name, who in PAGE_ROWS.items():
        yield f"opening {name}", address(name, world.objects[name]), None, who
        yield f"posting {name}", address(name, world.objects[name]), {"_form_submitted": "True"}, who
    for name in FOR_STAFF:
        yield name, address(name), None, "all staff"


@pytest.mark.parametrize("kind", KINDS, ids=[name.replace(" ", "_") for name in KINDS])
def test_each_person_gets_the_pages_in_the_table_and_no_other(world, kind):
    client, wrong = client_of(world.people[kind]), {}
    is_staff = kind not in ("anonymous", "customer")
    for what, page, form, who in requests(world):
        with rolled_back():
            answer = client.get(page) if form is None else client.post(page, form)
        allowed = is_staff if who == "all staff" else LETTERS.get(kind, "nobody") in who
        to_login = answer.status_code == 302 and answer["Location"].startswith("/admin/login/")
        if not is_staff:
            expected = to_login
        elif allowed:
            expected = answer.status_code in (200, 302) and not to_login
        else:
            expected = answer.status_code == 403
        if not expected:
            wrong[what] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("kind", KINDS[2:], ids=[name.replace(" ", "_") for name in KINDS[2:]])
def test_each_member_of_staff_is_offered_the_actions_in_the_table(world, rf, kind):
    request = rf.get("/")
    request.user = world.people[kind]
    for model, model_admin in admin.site._registry.items():
        expected = {
            name
            for (label, name), who in ACTION_ROWS.items()
            if label == model._meta.label_lower and LETTERS.get(kind, "nobody") in who
        }
        assert set(model_admin.get_actions(request)) == expected, model


@pytest.mark.parametrize("kind", KINDS[2:], ids=[name.replace(" ", "_") for name in KINDS[2:]])
def test_a_list_of_an_app_and_the_search_show_what_one_may_see(world, kind):
    client, letter = client_of(world.people[kind]), LETTERS.get(kind, "nobody")
    seen = {label for label, may in MODEL_ROWS.items() if letter in may["view"]}
    apps = {label.partition(".")[0] for label in seen}
    for app in {label.partition(".")[0] for label in MODEL_ROWS}:
        assert client.get(reverse("admin:app_list", args=[app])).status_code == (200 if app in apps else 404), app
    found = client.get("/admin/search/", {"s": "products"}).content.decode()
    assert ("/admin/inventory/product/" in found) == ("inventory.product" in seen)
    look_up = {"app_label": "users", "model_name": "user", "field_name": "groups", "term": "s"}
    assert client.get("/admin/autocomplete/", look_up).status_code == 403, "no form looks groups up"
