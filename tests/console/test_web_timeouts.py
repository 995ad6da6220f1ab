"""Statements of web requests that take too long, in a real web server: 503, and the session is free again."""

from decimal import Decimal

import httpx
import pytest
from django.db import connection, transaction
from rest_framework_simplejwt.tokens import AccessToken

from inventory import operations as inventory
from orders import operations as orders
from orders.models import Order
from project.events import Line
from tests.api.clients import new_user
from tests.system import System

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no time-out of statements")


@pytest.mark.parametrize("application", ["project.wsgi", "project.asgi"])
def test_a_statement_that_waits_too_long_is_a_503_that_says_when_to_try_again(
    system: System, drain, application: str
) -> None:
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"))
    drain()
    customer = new_user()
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    system.environment["WEB_STATEMENT_TIMEOUT"] = "1"
    address = system.web(application, *(("--worker-class", "asgi") if application == "project.asgi" else ()))
    client = httpx.Client(
        base_url=f"{address}/api/v1/orders/{order.pk}",
        headers={"Authorization": f"Bearer {AccessToken.for_user(customer)}"},
        timeout=60,
    )
    with client:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=order.pk)
            answer = client.post("/cancel/", json={"reason": "too late"})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:orderly:problem:busy"
        assert "Traceback" not in answer.text
        order.refresh_from_db()
        assert order.status == "placed"
        assert client.post("/cancel/", json={"reason": "in time"}).status_code == 200


def test_only_web_processes_have_the_time_out(db) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
