"""What `manage.py simulate` needs before it can order: a server, customers, and products with stock."""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import httpx
from rest_framework_simplejwt.tokens import AccessToken

from inventory import operations as inventory
from inventory.models import Location, Product
from orders.models import CatalogueItem
from project.demo.progress import Progress
from project.demo.simulation_plan import Plan
from project.errors import InvalidInput
from users import operations as users
from users.models import User

#: Missing stock is received at a location of its own, from which orders are allocated last.
LOCATION, LOCATION_NAME, LOCATION_PRIORITY = "SIMULATION", "Deliveries of manage.py simulate", 1000
REASON = "stock for a simulation"
#: Customers or products that are added by one transaction, and orders that one query looks up.
ITEMS_PER_TRANSACTION = 500
#: For the server to answer, and for the next product to appear in the catalogue.
ANSWER_LIMIT_S, CATALOGUE_LIMIT_S = 30.0, 30.0

Item = TypeVar("Item")


class SimulationFailed(Exception):
    """The simulation cannot start or continue; the message says why, and the remedy."""


def check_server(base_url: str) -> None:
    """Send the API a request that needs no login.

    Raises:
        SimulationFailed: no server answers, or another program does.
    """
    try:
        answer = httpx.get(f"{base_url}products/", timeout=ANSWER_LIMIT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SimulationFailed(
            f"No server answers at {base_url} ({error}): start it with manage.py up, or give its address with --url."
        ) from error
    if not answer.is_success:
        raise SimulationFailed(
            f"{base_url}products/ was answered {answer.status_code}: this is another program's address, or the server "
            "fails. Look at its log, or give its address with --url."
        )


def prepare(plan: Plan, *, base_url: str, percent: int, progress: Progress) -> dict[str, User]:
    """Add what the orders need, and return the customers' accounts.

    Args:
        percent: the share of each product's demand to have in stock, rounded down.

    Raises:
        SimulationFailed: a product or a customer is inactive, or the server cannot be used.
    """
    refuse_inactive(plan.prices)
    try:
        accounts = register(plan.customers, progress=progress)
        supply(plan, percent=percent, progress=progress)
    except InvalidInput as error:
        raise SimulationFailed(str(error)) from error
    if inactive := [user.email for user in accounts.values() if not user.is_active]:
        raise SimulationFailed(f"{len(inactive)} of the customers, such as {inactive[0]}, are inactive: activate them.")
    check_token(accounts[plan.customers[0]], base_url=base_url)
    wait_for_catalogue(list(plan.prices), progress=progress)
    return accounts


def refuse_inactive(skus: Iterable[str]) -> None:
    """Refuse inactive products.

    Raises:
        SimulationFailed: naming some of them.
    """
    for chunk in in_batches(skus):
        if inactive := list(Product.objects.filter(sku__in=chunk, active=False).values_list("sku", flat=True)[:5]):
            raise SimulationFailed(f"{', '.join(inactive)}: not for sale here. Activate these products.")


def register(customers: Sequence[str], *, progress: Progress) -> dict[str, User]:
    """Return the accounts of the customers, adding the missing ones."""
    accounts: dict[str, User] = {}
    for chunk in in_batches(customers):
        addresses = {customer: email_for(customer) for customer in chunk}
        names = {email: name_for(customer) for customer, email in addresses.items()}
        users_of = users.register_customers(names=names)
        accounts |= {customer: users_of[email] for customer, email in addresses.items()}
        progress("customers", len(accounts), len(customers), "")
    return accounts


def name_for(customer: str) -> str:
    """Return a customer's name: what of the log's text a name can have."""
    return " ".join(["Customer", *re.findall(r"[\w-]+", customer)])[:100].strip()


def email_for(customer: str) -> str:
    """Return a customer's e-mail address: constant, unique, and in a domain that cannot exist."""
    if re.fullmatch(r"[a-z0-9_-]{1,40}", customer):
        return f"customer-{customer}@simulation.example"
    # The plus sign keeps these distinct from the plain ones.
    readable = re.sub(r"[^a-z0-9]+", "-", customer.lower())[:20].strip("-")
    return f"customer-{readable}+{hashlib.sha256(customer.encode()).hexdigest()[:24]}@simulation.example"


def supply(plan: Plan, *, percent: int, progress: Progress) -> None:
    """Add the missing products, and receive the stock that they lack."""
    if not Location.objects.filter(code=LOCATION).exists():
        inventory.add_location(code=LOCATION, name=LOCATION_NAME, priority=LOCATION_PRIORITY)
    demand = plan.demand()
    done = 0
    for chunk in in_batches(plan.prices.items()):
        wanted = [
            inventory.Supply(sku=sku, name=f"Product {sku}", price=price, units=demand[sku] * percent // 100)
            for sku, price in chunk
        ]
        inventory.supply(wanted=wanted, location=LOCATION, reason=REASON)
        done += len(chunk)
        progress("products", done, len(plan.prices), "")


def check_token(user: User, *, base_url: str) -> None:
    """Check that the server accepts tokens that are signed here.

    Raises:
        SimulationFailed: its SECRET_KEY or database is another one.
    """
    try:
        answer = httpx.get(f"{base_url}users/me/", headers=authorization(user), timeout=ANSWER_LIMIT_S, trust_env=False)
    except httpx.HTTPError as error:
        raise SimulationFailed(f"The server at {base_url} no longer answers ({error}).") from error
    if not answer.is_success:
        raise SimulationFailed(
            f"The server at {base_url} refuses a token signed here ({answer.status_code}): run this command with the "
            "server's SECRET_KEY and DATABASE_URL."
        )


def authorization(user: User) -> dict[str, str]:
    """Return the header for a user's requests. Its token is signed here, because the user has no password."""
    return {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


def wait_for_catalogue(skus: Sequence[str], *, progress: Progress) -> None:
    """Wait until the orders service has copied the products, so that they can be ordered.

    Raises:
        SimulationFailed: no further product appeared in time.
    """
    known, changed_at = -1, time.monotonic()
    while known < len(skus):
        found = sum(CatalogueItem.objects.filter(sku__in=chunk).count() for chunk in in_batches(skus))
        progress("orderable", found, len(skus), "")
        if found > known:
            known, changed_at = found, time.monotonic()
        elif time.monotonic() - changed_at > CATALOGUE_LIMIT_S:
            raise SimulationFailed(
                f"After {CATALOGUE_LIMIT_S:g} s {len(skus) - found} of {len(skus)} products cannot be ordered yet: the "
                "relay or the worker of the queue orders does not run. Start them with manage.py up."
            )
        if found < len(skus):
            time.sleep(0.2)


def prices_that_differ(prices: Mapping[str, Decimal]) -> int:
    """Count the products that are sold at another price."""
    return sum(
        price != prices[sku]
        for chunk in in_batches(prices)
        for sku, price in CatalogueItem.objects.filter(sku__in=chunk).values_list("sku", "price")
    )


def in_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Split items into lists of at most ITEMS_PER_TRANSACTION."""
    rest = iter(items)
    while chunk := list(islice(rest, ITEMS_PER_TRANSACTION)):
        yield chunk
