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
from rest_framework_simplejwt.tokens import RefreshToken

from inventory.models import Location
from orders.models import CatalogueItem
from orders.operations import place_order
from project.api.authentication import user_id
from project.bus.models import Delivery
from project.events import Line
from tests.api.clients import assert_problem, client_of, new_user
from tests.inventory.helpers import rolled_back, stocked
from users.models import User
from users.operations import register_user
from users.views import current_user

PASSWORD = "correct horse battery"

#: The status for: an anonymous client; the customer who placed the order; another customer; staff without permissions;
#: staff with the permissions in BUS, and superusers.
TABLE = """
                                          anonymous  owner  another  staff  permitted
GET    /                                        302    302      302    302    302
GET    /healthz                                 200    200      200    200    200
GET    /readyz                                  200    200      200    200    200
GET    /api/schema/                             200    200      200    200    200
GET    /api/docs/                               200    200      200    200    200
POST   /api/v1/users/                           201    201      201    201    201
GET    /api/v1/users/me/                        401    200      200    200    200
PATCH  /api/v1/users/me/                        401    200      200    200    200
POST   /api/v1/auth/token/                      200    200      200    200    200
POST   /api/v1/auth/token/refresh/              200    200      200    200    200
GET    /api/v1/orders/                          401    200      200    200    200
POST   /api/v1/orders/                          401    201      201    201    201
GET    /api/v1/orders/{order_id}/               401    200      404    200    200
GET    /api/v1/orders/{order_id}/history/       401    200      404    200    200
POST   /api/v1/orders/{order_id}/cancel/        401    200      404    200    200
GET    /api/v1/products/                        200    200      200    200    200
POST   /api/v1/products/                        401    403      403    201    201
GET    /api/v1/products/{sku}/                  200    200      200    200    200
PATCH  /api/v1/products/{sku}/                  401    403      403    200    200
GET    /api/v1/locations/                       401    403      403    200    200
POST   /api/v1/locations/                       401    403      403    201    201
GET    /api/v1/locations/{code}/                401    403      403    200    200
PATCH  /api/v1/locations/{code}/                401    403      403    200    200
GET    /api/v1/stock/                           401    403      403    200    200
POST   /api/v1/stock/receive/                   401    403      403    200    200
POST   /api/v1/stock/adjust/                    401    403      403    200    200
POST   /api/v1/stock/transfer/                  401    403      403    200    200
GET    /api/v1/movements/                       401    403      403    200    200
GET    /api/v1/events/                          401    403      403    403    200
GET    /api/v1/events/{event_id}/               401    403      403    403    200
GET    /api/v1/deliveries/                      401    403      403    403    200
GET    /api/v1/deliveries/{delivery_id}/        401    403      403    403    200
POST   /api/v1/deliveries/retry/                401    403      403    403    200
"""
BUS = ("view_event", "view_delivery", "change_delivery")
#: Not in the table: the admin has permissions per model, and test_problems covers the 404s under /api/.
EXCLUDED = ("admin/", "^api/")

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
        parameters |= {"<int:delivery_id>": "{delivery_id}", r"\Z": "", "^": ""}
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

    people: dict[str, list[User | None]]
    parameters: dict[str, Any]
    bodies: dict[str, Any]


@pytest.fixture
def world(db: None) -> World:
    owner, permitted = register_user(email="owner@example.org", password=PASSWORD), new_user(is_staff=True)
    permitted.user_permissions.set(Permission.objects.filter(content_type__app_label="bus", codename__in=BUS))
    stocked("MUG", north=5, south=5)
    CatalogueItem.objects.create(sku="MUG", name="Mug", price=1, currency="EUR", active=True, sequence=1)
    order = place_order(customer_id=owner.pk, lines=[Line(sku="MUG", quantity=1)])
    delivery = Delivery.objects.get(event__subject=str(order.pk))
    units = {"sku": "MUG", "quantity": 1, "reason": "a count"}
    return World(
        people={
            "anonymous": [None],
            "owner": [owner],
            "another": [new_user()],
            "staff": [new_user(is_staff=True)],
            "permitted": [permitted, new_user(is_staff=True, is_superuser=True)],
        },
        parameters={
            "order_id": order.pk,
            "sku": "MUG",
            "code": "north",
            "event_id": delivery.event_id,
            "delivery_id": delivery.pk,
        },
        bodies={
            "/api/v1/users/": {"email": "new@example.org", "password": PASSWORD},
            "/api/v1/users/me/": {"name": "Bob"},
            "/api/v1/auth/token/": {"email": "owner@example.org", "password": PASSWORD},
            "/api/v1/auth/token/refresh/": {"refresh": str(RefreshToken.for_user(owner))},
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
    statuses: dict[str, set[int]] = {}
    for kind, people in world.people.items():
        for person in people:
            with rolled_back():
                response = client_of(person).generic(
                    method, route.format_map(world.parameters), **body(world.bodies.get(route), method)
                )
            statuses.setdefault(kind, set()).add(response.status_code)
            if response.status_code >= 400:
                assert_problem(response, response.status_code)
    assert statuses == dict(zip(world.people, ({status} for status in ROWS[method, route]), strict=True))


def body(value: Any, method: str) -> dict[str, Any]:
    return {} if method == "GET" else {"data": json.dumps(value or {}), "content_type": "application/json"}


@pytest.mark.parametrize(("method", "route"), [key for key, statuses in ROWS.items() if 403 in statuses[:3]])
def test_customers_get_403_before_body_and_ids_are_checked(world, method, route):
    missing = {"sku": "GHOST", "code": "ghost", "event_id": UUID(int=0), "delivery_id": 2**62}
    response = client_of(world.people["another"][0]).generic(
        method, route.format_map(missing), "nonsense", content_type="application/json"
    )
    assert_problem(response, 403)


def test_permissions_do_not_count_without_staff_status(db):
    user = new_user()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="bus", codename__in=BUS))
    assert_problem(client_of(user).get("/api/v1/events/"), 403)


@pytest.mark.parametrize("route", ["/api/v1/products/", "/api/v1/products/MUG/"])
@pytest.mark.parametrize("method", ["put", "delete"])
def test_products_cannot_be_replaced_or_deleted(world, method, route):
    client = client_of(world.people["permitted"][1])
    assert_problem(getattr(client, method)(route, {}), 405)
    assert Location.objects.count() == 2


@pytest.mark.parametrize("whose", [user_id, current_user])
def test_a_view_that_forgets_to_ask_for_a_log_in_acts_for_nobody(whose):
    with pytest.raises(NotAuthenticated):
        whose(Request(APIRequestFactory().post("/")))
