"""The customers of `manage.py demo`: they order over HTTP and wait until their orders are settled."""

import secrets
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import httpx

from project.demo.content import DEMO_PRODUCTS, SCARCE_SKU
from project.demo.progress import Progress

USERS = 10
#: Orders for products with enough units; one of them is cancelled.
ORDERS = 33
#: One-unit orders for the scarce product beyond the number of its units.
EXCESS_ORDERS = 4
#: For all orders to be settled.
SETTLING_LIMIT_S = 60.0

#: An order in one of these is not settled; one in neither these nor REFUSED is confirmed.
WAITING = frozenset({"placed", "backordered"})
REFUSED = frozenset({"rejected", "cancelled"})


class DemoFailed(Exception):
    """The demo did not work as promised; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened to the orders."""

    users: int
    statuses: Counter[str]
    scarce_units: int
    scarce_sold: int
    #: The cancelled order, which has the longest trace.
    cancelled_id: str

    @property
    def confirmed(self) -> int:
        return sum(number for status, number in self.statuses.items() if status not in WAITING | REFUSED)


def shop(client: httpx.Client, *, progress: Progress) -> Outcome:
    """Register users, place their orders, and wait until all orders are settled, including the welcome orders.

    Raises:
        DemoFailed: the API refused a request, or orders were not settled in time.
    """
    customers = []
    for number in range(1, USERS + 1):
        customers.append(register(client, number=number))
        progress("users", number, USERS)

    scarce_units: int = call(client, "GET", f"products/{SCARCE_SKU}/")["available"]
    baskets = [
        *plain_baskets(ORDERS),
        *([{"sku": SCARCE_SKU, "quantity": 1}] for _ in range(scarce_units + EXCESS_ORDERS)),
    ]
    placed = []
    for number, (basket, customer) in enumerate(zip(baskets, cycle(customers), strict=False), start=1):
        placed.append(call(client, "POST", "orders/", headers=customer, json={"lines": basket})["id"])
        progress("orders", number, len(baskets))
    cancelled_id = placed[0]
    call(client, "POST", f"orders/{cancelled_id}/cancel/", headers=customers[0], json={"reason": "changed my mind"})

    orders = settled_orders(client, customers=customers, expected=len(placed) + USERS, progress=progress)
    statuses = {order["id"]: order["status"] for order in orders}
    return Outcome(
        users=len(customers),
        statuses=Counter(statuses.values()),
        scarce_units=scarce_units,
        scarce_sold=sum(statuses[order_id] not in REFUSED for order_id in placed[ORDERS:]),
        cancelled_id=cancelled_id,
    )


def plain_baskets(number: int) -> list[list[dict[str, Any]]]:
    """Return baskets of one to three products, each with enough units."""
    skus = cycle(product.sku for product in DEMO_PRODUCTS if product.sku != SCARCE_SKU)
    return [[{"sku": sku, "quantity": 1 + nth % 2} for sku in islice(skus, 1 + nth % 3)] for nth in range(number)]


def register(client: httpx.Client, *, number: int) -> dict[str, str]:
    """Register a user and log in; return the headers for that user's requests."""
    # Random, so that the address is new in any database.
    login = {"email": f"customer{number}-{secrets.token_hex(4)}@example.org", "password": secrets.token_urlsafe(16)}
    call(client, "POST", "users/", json=login | {"name": f"Customer {number}"})
    return {"Authorization": f"Bearer {call(client, 'POST', 'auth/token/', json=login)['access']}"}


def settled_orders(
    client: httpx.Client, *, customers: Iterable[dict[str, str]], expected: int, progress: Progress
) -> list[dict[str, Any]]:
    """Wait until there are as many settled orders as expected, and return them."""
    deadline = time.monotonic() + SETTLING_LIMIT_S
    while True:
        orders = [order for customer in customers for order in own_orders(client, customer)]
        settled = sum(order["status"] not in WAITING for order in orders)
        progress("settled", settled, expected)
        if settled >= expected:
            return orders
        if time.monotonic() > deadline:
            raise DemoFailed(f"after {SETTLING_LIMIT_S:g} s only {settled} of {expected} orders are settled")
        time.sleep(0.2)


def own_orders(client: httpx.Client, customer: dict[str, str]) -> Iterable[dict[str, Any]]:
    """Return all orders of one customer, page by page."""
    page = call(client, "GET", "orders/", headers=customer)
    yield from page["results"]
    while page["next"]:
        page = call(client, "GET", page["next"], headers=customer)
        yield from page["results"]


def call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """Return the API's answer.

    Raises:
        DemoFailed: the server does not answer, or answers with an error.
    """
    try:
        response = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise DemoFailed(f"{method} {path}: {error}") from error
    if not response.is_success:
        raise DemoFailed(f"{method} {path} was answered {response.status_code}: {response.text[:500]}")
    return response.json()
