"""The customers of `manage.py demo`: what they do over HTTP, and what becomes of it."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import httpx

from project.console.demo_content import DEMO_PRODUCTS, SCARCE_SKU

USERS = 10
#: Orders for products of which there is enough; one of them is cancelled.
ORDERS = 33
#: There are so many more orders for the scarce product, of one unit each, than units of it.
DISAPPOINTED = 4
#: Seconds that orders have to be settled.
SETTLING_LIMIT = 60.0

#: An order in one of these still waits for an answer; one in neither these nor REFUSED is met.
WAITING = frozenset({"placed", "backordered"})
REFUSED = frozenset({"rejected", "cancelled"})

#: Is told how much of which step is done.
Progress = Callable[[str, int, int], None]


class DemoFailed(Exception):
    """Something that the demo promises did not happen; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the orders."""

    users: int
    statuses: Counter[str]
    scarce_units: int
    scarce_sold: int
    #: The order that was cancelled: it has the longest story.
    cancelled_id: str

    @property
    def confirmed(self) -> int:
        """How many orders were met."""
        return sum(number for status, number in self.statuses.items() if status not in WAITING | REFUSED)


def shop(client: httpx.Client, *, progress: Progress) -> Outcome:
    """Register users, let them order and wait until every order is settled, the welcome orders among them.

    Raises:
        DemoFailed: the API refused something, or orders were not settled in time.
    """
    customers = []
    for number in range(1, USERS + 1):
        customers.append(register(client, number=number))
        progress("users", number, USERS)

    scarce_units: int = call(client, "GET", f"products/{SCARCE_SKU}/")["available"]
    baskets = [
        *plain_baskets(ORDERS),
        *([{"sku": SCARCE_SKU, "quantity": 1}] for _ in range(scarce_units + DISAPPOINTED)),
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
    """So many baskets of one to three products of which there is enough."""
    skus = cycle(product.sku for product in DEMO_PRODUCTS if product.sku != SCARCE_SKU)
    return [[{"sku": sku, "quantity": 1 + nth % 2} for sku in islice(skus, 1 + nth % 3)] for nth in range(number)]


def register(client: httpx.Client, *, number: int) -> dict[str, str]:
    """Register a user and log in; the headers to speak for that user with."""
    # Nobody has this address yet, in whatever database the demo runs.
    login = {"email": f"customer{number}-{secrets.token_hex(4)}@example.org", "password": secrets.token_urlsafe(16)}
    call(client, "POST", "users/", json=login | {"name": f"Customer {number}"})
    return {"Authorization": f"Bearer {call(client, 'POST', 'auth/token/', json=login)['access']}"}


def settled_orders(
    client: httpx.Client, *, customers: Iterable[dict[str, str]], expected: int, progress: Progress
) -> list[dict[str, Any]]:
    """All orders of the customers, once there are as many as expected and none waits for an answer."""
    deadline = time.monotonic() + SETTLING_LIMIT
    while True:
        orders = [order for customer in customers for order in own_orders(client, customer)]
        settled = sum(order["status"] not in WAITING for order in orders)
        progress("settled", settled, expected)
        if settled >= expected:
            return orders
        if time.monotonic() > deadline:
            raise DemoFailed(f"after {SETTLING_LIMIT:g} s only {settled} of {expected} orders are settled")
        time.sleep(0.2)


def own_orders(client: httpx.Client, customer: dict[str, str]) -> Iterable[dict[str, Any]]:
    """All orders of one customer, page after page."""
    page = call(client, "GET", "orders/", headers=customer)
    yield from page["results"]
    while page["next"]:
        page = call(client, "GET", page["next"], headers=customer)
        yield from page["results"]


def call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """The API's answer; anything but success is the demo's failure."""
    try:
        response = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise DemoFailed(f"{method} {path}: {error}") from error
    if not response.is_success:
        raise DemoFailed(f"{method} {path} was answered {response.status_code}: {response.text[:500]}")
    return response.json()
