"""Permissions: each route and method has a row in this table, written manually."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLPattern, URLResolver, get_resolver, include, path
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from inventory.models import Location, Product
from orders.models import CatalogueItem
from orders.operations import place_order
from project.api.authentication import user_id
from project.bus.models import Delivery
from project.console.groups import READY_MADE
from project.events import Line
from tests.api.clients import assert_problem, client_of, member_of, new_user
from tests.inventory.helpers import rolled_back, stocked
from users.confirmation import confirmation_token
from users.models import User
from users.operations import register_user
from users.tokens import open_session
from users.views import current_user

PASSWORD = "correct horse battery"

#: The status for an anonymous client; the customer who placed the order; another customer; staff without permissions; a
#: member of each ready-made group; a superuser.
TABLE = """
                                          anonymous  owner  another  staff   shop  stock  operator  auditor  superuser
GET    /                                        302    302      302    302    302    302       302      302        302
GET    /healthz                                 200    200      200    200    200    200       200      200        200
GET    /readyz                                  200    200      200    200    200    200       200      200        200
GET    /api/schema/                             200    200      200    200    200    200       200      200        200
GET    /api/docs/                               200    200      200    200    200    200       200      200        200
POST   /api/v1/users/                           201    201      201    201    201    201       201      201        201
POST   /api/v1/users/confirm/                   204    204      204    204    204    204       204      204        204
POST   /api/v1/users/confirm/resend/            202    202      202    202    202    202       202      202        202
GET    /users/confirm/{token}/                  200    200      200    200    200    200       200      200        200
GET    /api/v1/users/me/                        401    200      200    200    200    200       200      200        200
PATCH  /api/v1/users/me/                        401    200      200    200    200    200       200      200        200
POST   /api/v1/users/me/password/               401    200      400    400    400    400       400      400        400
POST   /api/v1/auth/token/                      200    200      200    200    200    200       200      200        200
POST   /api/v1/auth/token/refresh/              200    200      200    200    200    200       200      200        200
POST   /api/v1/auth/logout/                     204    204      204    204    204    204       204      204        204
GET    /api/v1/orders/                          401    200      200    200    200    200       200      200        200
POST   /api/v1/orders/                          401    201      201    201    201    201       201      201        201
GET    /api/v1/orders/{order_id}/               401    200      404    404    200    404       200      200        200
GET    /api/v1/orders/{order_id}/history/       401    200      404    404    200    404       200      200        200
POST   /api/v1/orders/{order_id}/cancel/        401    200      404    404    200    404       403      403        200
GET    /api/v1/products/                        200    200      200    200    200    200       200      200        200
POST   /api/v1/products/                        401    403      403    403    201    403       403      403        201
GET    /api/v1/products/{sku}/                  200    200      200    200    200    200       200      200        200
PATCH  /api/v1/products/{sku}/                  401    403      403    403    200    403       403      403        200
GET    /api/v1/locations/                       401    403      403    403    403    200       403      200        200
POST   /api/v1/locations/                       401    403      403    403    403    201       403      403        201
GET    /api/v1/locations/{code}/                401    403      403    403    403    200       403      200        200
PATCH  /api/v1/locations/{code}/                401    403      403    403    403    200       403      403        200
GET    /api/v1/stock/                           401    403      403    403    403    200       403      200        200
POST   /api/v1/stock/receive/                   401    403      403    403    403    200       403      403        200
POST   /api/v1/stock/adjust/                    401    403      403    403    403    200       403      403        200
POST   /api/v1/stock/transfer/                  401    403      403    403    403    200       403      403        200
GET    /api/v1/movements/                       401    403      403    403    403    200       403      200        200
GET    /api/v1/events/                          401    403      403    403    403    403       200      200        200
GET    /api/v1/events/{event_id}/               401    403      403    403    403    403       200      200        200
GET    /api/v1/deliveries/                      401    403      403    403    403    403       200      200        200
GET    /api/v1/deliveries/{delivery_id}/        401    403      403    403    403    403       200      200        200
POST   /api/v1/deliveries/retry/                401    403      403    403    403    403       200      403        200
"""
#: The fields that are wrong for everybody but the owner.
WRONG_FOR_OTHERS = {"/api/v1/users/me/password/": ("old_password",)}
#: Not in the table: tests/test_admin_permissions.py has the admin, and test_problems covers the 404s under /api/.
EXCLUDED = ("admin/", "admin/password_change/", "^api/")

ROWS = {
    (method, route): tuple(int(status) for status in statuses)
    for method, route, *statuses in (line.split() for line in TABLE.strip().splitlines()[1:])
}


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, str]]:
    """Yield each method and route that the URL patterns have."""
    for pattern in patterns:
        text = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if text not in EXCLUDED:
                yield from routes(pattern.url_patterns, prefix + text)
            continue
        assert isinstance(pattern, URLPattern)
        if text in EXCLUDED:
            continue
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        methods = [name.upper() for name in view.http_method_names if hasattr(view, name)] if view else ["GET"]
        parameters = {"<uuid:order_id>": "{order_id}", "<uuid:event_id>": "{event_id}"}
        parameters |= {"<int:delivery_id>": "{delivery_id}", "<token>": "{token}", r"\Z": "", "^": ""}
        parameters |= {f"(?P<{name}>[A-Za-z0-9._-]{{1,64}})": f"{{{name}}}" for name in ("sku", "code")}
        for pattern_text, shown in parameters.items():
            text = text.replace(pattern_text, shown)
        # RedirectView answers every method as it answers GET.
        methods = ["GET"] if prefix + text == "/" else methods
        yield from ((method, prefix + text) for method in methods if method not in ("HEAD", "OPTIONS", "TRACE"))


def test_the_table_has_exactly_the_routes_of_the_project():
    assert sorted(routes(get_resolver().url_patterns)) == sorted(ROWS)


def test_a_new_route_is_found():
    class New(APIView):
        def delete(self) -> None: ...

    patterns = [path("api/v1/", include([path("new/<uuid:order_id>/", New.as_view())]))]
    assert list(routes(patterns)) == [("DELETE", "/api/v1/new/{order_id}/")]


@dataclass(frozen=True, kw_only=True)
class World:
    """A user of each kind, with parameters and bodies that make each request of the table succeed."""

    people: dict[str, User | None]
    parameters: dict[str, Any]
    bodies: dict[str, Any]


@pytest.fixture
def world(db: None) -> World:
    owner = register_user(email="owner@example.org", password=PASSWORD)
    stocked("MUG", north=5, south=5)
    CatalogueItem.objects.create(sku="MUG", name="Mug", price=1, currency="EUR", active=True, sequence=1)
    order = place_order(customer_id=owner.pk, lines=[Line(sku="MUG", quantity=1)])
    delivery = Delivery.objects.get(event__subject=str(order.pk))
    units = {"sku": "MUG", "quantity": 1, "reason": "a count"}
    return World(
        people={
            "anonymous": None,
            "owner": owner,
            "another": new_user(),
            "staff": new_user(is_staff=True),
            **{group: member_of(group) for group in READY_MADE},
            "superuser": new_user(is_staff=True, is_superuser=True),
        },
        parameters={
            "order_id": order.pk,
            "sku": "MUG",
            "token": confirmation_token(owner),
            "code": "north",
            "event_id": delivery.event_id,
            "delivery_id": delivery.pk,
        },
        bodies={
            "/api/v1/users/": {"email": "new@example.org", "password": PASSWORD},
            "/api/v1/users/confirm/": {"token": confirmation_token(owner), "password": PASSWORD},
            "/api/v1/users/confirm/resend/": {"email": "owner@example.org"},
            "/api/v1/users/me/": {"name": "Bob"},
            "/api/v1/auth/token/": {"email": "owner@example.org", "password": PASSWORD},
            "/api/v1/auth/token/refresh/": {"refresh": str(open_session(owner))},
            "/api/v1/auth/logout/": {"refresh": str(open_session(owner))},
            "/api/v1/users/me/password/": {"old_password": PASSWORD, "new_password": PASSWORD[::-1]},
            "/api/v1/orders/": {"lines": [{"sku": "MUG", "quantity": 1}]},
            "/api/v1/products/": {"sku": "CUP", "name": "Cup", "price": "1.00"},
            "/api/v1/products/{sku}/": {"name": "Mug"},
            "/api/v1/locations/": {"code": "west", "name": "West"},
            "/api/v1/locations/{code}/": {"name": "North"},
            "/api/v1/stock/receive/": {**units, "location": "north"},
            "/api/v1/stock/adjust/": {**units, "location": "north"},
            "/api/v1/stock/transfer/": {**units, "source": "north", "target": "south"},
            "/api/v1/deliveries/retry/": {"ids": [delivery.pk]},
        },
    )


@pytest.mark.parametrize(("method", "route"), ROWS)
def test_each_user_gets_the_status_in_the_table(world, method, route):
    statuses: dict[str, int] = {}
    for kind, person in world.people.items():
        with rolled_back():
            response = client_of(person).generic(
                method, route.format_map(world.parameters), **body(world.bodies.get(route), method)
            )
        statuses[kind] = response.status_code
        if response.status_code >= 400:
            fields = WRONG_FOR_OTHERS.get(route, ()) if response.status_code == 400 else ()
            assert_problem(response, response.status_code, *fields)
    assert statuses == dict(zip(world.people, ROWS[method, route], strict=True))


def body(value: Any, method: str) -> dict[str, Any]:
    return {} if method == "GET" else {"data": json.dumps(value or {}), "content_type": "application/json"}


@pytest.mark.parametrize(("method", "route"), [key for key, statuses in ROWS.items() if statuses[2] == 403])
def test_customers_get_403_before_body_and_ids_are_checked(world, method, route):
    missing = {"sku": "GHOST", "code": "ghost", "event_id": UUID(int=0), "delivery_id": 2**62}
    response = client_of(world.people["another"]).generic(
        method, route.format_map(missing), "nonsense", content_type="application/json"
    )
    assert_problem(response, 403)


@pytest.mark.parametrize("fields", [{"is_staff": False}, {"is_active": False}])
def test_permissions_count_only_for_active_staff(world, fields):
    user = new_user(**{"is_staff": True, **fields})
    user.user_permissions.set(Permission.objects.all())
    expected = 401 if "is_active" in fields else 403
    assert_problem(client_of(user).get("/api/v1/events/"), expected)
    assert_problem(client_of(user).patch("/api/v1/products/MUG/", {"price": "0.01"}), expected)
    order = f"/api/v1/orders/{world.parameters['order_id']}/"
    assert_problem(client_of(user).get(order), 401 if "is_active" in fields else 404)


@pytest.mark.parametrize(
    ("permission", "method", "route", "status"),
    [
        ("inventory.add_product", "POST", "/api/v1/products/", 201),
        ("inventory.change_product", "PATCH", "/api/v1/products/{sku}/", 200),
        ("inventory.view_location", "GET", "/api/v1/locations/", 200),
        ("inventory.add_location", "POST", "/api/v1/locations/", 201),
        ("inventory.change_location", "PATCH", "/api/v1/locations/{code}/", 200),
        ("inventory.view_stock", "GET", "/api/v1/stock/", 200),
        ("inventory.change_stock", "POST", "/api/v1/stock/receive/", 200),
        ("inventory.change_stock", "POST", "/api/v1/stock/adjust/", 200),
        ("inventory.change_stock", "POST", "/api/v1/stock/transfer/", 200),
        ("inventory.view_movement", "GET", "/api/v1/movements/", 200),
        ("orders.view_order", "GET", "/api/v1/orders/{order_id}/", 200),
        ("orders.view_order", "GET", "/api/v1/orders/{order_id}/history/", 200),
        ("orders.change_order", "POST", "/api/v1/orders/{order_id}/cancel/", 200),
        ("bus.view_event", "GET", "/api/v1/events/", 200),
        ("bus.view_delivery", "GET", "/api/v1/deliveries/", 200),
        ("bus.change_delivery", "POST", "/api/v1/deliveries/retry/", 200),
    ],
)
def test_one_permission_is_enough_and_all_others_are_not(world, permission, method, route, status):
    label, codename = permission.split(".")
    with_it, without_it = new_user(is_staff=True), new_user(is_staff=True)
    needed = Permission.objects.filter(content_type__app_label=label, codename=codename)
    with_it.user_permissions.set(needed)
    # Whoever may view orders learns by a 403, not a 404, that one cannot be cancelled.
    without_it.user_permissions.set(Permission.objects.exclude(pk__in=needed))
    # An inactive product, so that nothing depends on who sees it.
    Product.objects.filter(sku="MUG").update(active=False)
    request = {"method": method, "path": route.format_map(world.parameters), **body(world.bodies.get(route), method)}
    with rolled_back():
        refused = client_of(without_it).generic(**request)
    assert_problem(refused, 404 if permission == "orders.view_order" else 403)
    assert client_of(with_it).generic(**request).status_code == status


def test_inactive_products_are_seen_with_the_permission_alone(world):
    Product.objects.filter(sku="MUG").update(active=False)
    viewer, staff = new_user(is_staff=True), world.people["staff"]
    viewer.user_permissions.add(Permission.objects.get(codename="view_product"))
    assert_problem(client_of(staff).get("/api/v1/products/MUG/"), 404)
    assert client_of(staff).get("/api/v1/products/").json()["results"] == []
    assert client_of(viewer).get("/api/v1/products/MUG/").status_code == 200


def test_a_product_can_be_deactivated_and_added_inactive_by_who_may_not_view_inactive_ones(world):
    editor = new_user(is_staff=True)
    editor.user_permissions.set(Permission.objects.filter(codename__in=("add_product", "change_product")))
    client = client_of(editor)
    assert client.patch("/api/v1/products/MUG/", {"active": False}).json()["active"] is False
    new = {"sku": "CUP", "name": "Cup", "price": "1.00", "active": False}
    assert client.post("/api/v1/products/", new).json()["active"] is False


@pytest.mark.parametrize("route", ["/api/v1/products/", "/api/v1/products/MUG/"])
@pytest.mark.parametrize("method", ["put", "delete"])
def test_products_cannot_be_replaced_or_deleted(world, method, route):
    client = client_of(world.people["superuser"])
    assert_problem(getattr(client, method)(route, {}), 405)
    assert Location.objects.count() == 2


@pytest.mark.parametrize("whose", [user_id, current_user])
def test_a_view_that_forgets_to_ask_for_a_log_in_acts_for_nobody(whose):
    with pytest.raises(NotAuthenticated):
        whose(Request(APIRequestFactory().post("/")))
