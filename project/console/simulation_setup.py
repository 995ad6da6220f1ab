"""Makes ready what `manage.py simulate` needs before it can order: a server, customers, products with stock."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import httpx
from rest_framework_simplejwt.tokens import AccessToken

from inventory import operations as inventory
from inventory.models import Location, Product
from orders.models import CatalogueItem
from project.api.errors import InvalidInput
from project.console.simulation_plan import Plan
from users import operations as users
from users.models import User

#: Where what is lacking is received: a place of its own, emptied after all others.
LOCATION, LOCATION_NAME, LOCATION_PRIORITY = "SIMULATION", "Deliveries of manage.py simulate", 1000
REASON = "stock for a simulation"
#: So many customers or products are made in one transaction, so many orders are asked about by one query.
CHUNK = 500
#: Seconds that the server has to answer, and without news of a product before waiting for it is given up.
ANSWER_LIMIT, CATALOGUE_LIMIT = 30.0, 30.0

#: Is told how much of which step is done, and a word more about it.
Progress = Callable[[str, int, int, str], None]
Item = TypeVar("Item")


class SimulationFailed(Exception):
    """The simulation cannot begin or go on; the message says why and what to do."""


def check_server(base_url: str) -> None:
    """Ask the API something that anybody may ask.

    Raises:
        SimulationFailed: it does not answer, or not as this API does.
    """
    try:
        answer = httpx.get(f"{base_url}products/", timeout=ANSWER_LIMIT, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SimulationFailed(
            f"No server answers at {base_url} ({error}): start it by manage.py up, or name it by --url."
        ) from error
    if not answer.is_success:
        raise SimulationFailed(
            f"{base_url}products/ was answered {answer.status_code}: this is another program's address, or the server "
            "has trouble. Look at its log, or name it by --url."
        )


def prepare(plan: Plan, *, base_url: str, percent: int, progress: Progress) -> dict[str, User]:
    """See that everything is there that the orders need; gives the customers' accounts.

    Args:
        percent: how much of each product's demand is to be in stock, rounded down.

    Raises:
        SimulationFailed: something stands in the way.
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
    await_catalogue(list(plan.prices), progress=progress)
    return accounts


def refuse_inactive(skus: Iterable[str]) -> None:
    """Refuse what is not for sale.

    Raises:
        SimulationFailed: naming it.
    """
    for chunk in chunks(skus):
        if inactive := list(Product.objects.filter(sku__in=chunk, active=False).values_list("sku", flat=True)[:5]):
            raise SimulationFailed(f"{', '.join(inactive)}: not for sale here. Activate what is to be ordered.")


def register(customers: Sequence[str], *, progress: Progress) -> dict[str, User]:
    """The accounts of the customers, made where there are none."""
    accounts: dict[str, User] = {}
    for chunk in chunks(customers):
        addresses = {customer: email_of(customer) for customer in chunk}
        # A name has at most 150 characters.
        names = {email: f"Customer {customer}"[:150] for customer, email in addresses.items()}
        users_of = users.register_customers(names=names)
        accounts |= {customer: users_of[email] for customer, email in addresses.items()}
        progress("customers", len(accounts), len(customers), "")
    return accounts


def email_of(customer: str) -> str:
    """A customer's address: always the same, another one for each, and in a domain that nobody can have."""
    if re.fullmatch(r"[a-z0-9_-]{1,40}", customer):
        return f"customer-{customer}@simulation.example"
    # A plus sign sets these apart from all of the plain ones.
    readable = re.sub(r"[^a-z0-9]+", "-", customer.lower())[:20].strip("-")
    return f"customer-{readable}+{hashlib.sha256(customer.encode()).hexdigest()[:24]}@simulation.example"


def supply(plan: Plan, *, percent: int, progress: Progress) -> None:
    """Add the products that are not there and receive what is lacking of the demand's share."""
    if not Location.objects.filter(code=LOCATION).exists():
        inventory.add_location(code=LOCATION, name=LOCATION_NAME, priority=LOCATION_PRIORITY)
    demand = plan.demand()
    done = 0
    for chunk in chunks(plan.prices.items()):
        wanted = [
            inventory.Supply(sku=sku, name=f"Product {sku}", price=price, units=demand[sku] * percent // 100)
            for sku, price in chunk
        ]
        inventory.supply(wanted=wanted, location=LOCATION, reason=REASON)
        done += len(chunk)
        progress("products", done, len(plan.prices), "")


def check_token(user: User, *, base_url: str) -> None:
    """See that the server takes the tokens that are minted here.

    Raises:
        SimulationFailed: it does not know them or their owners.
    """
    try:
        answer = httpx.get(f"{base_url}users/me/", headers=token_of(user), timeout=ANSWER_LIMIT, trust_env=False)
    except httpx.HTTPError as error:
        raise SimulationFailed(f"The server at {base_url} does not answer any more ({error}).") from error
    if not answer.is_success:
        raise SimulationFailed(
            f"The server at {base_url} refuses a token minted here ({answer.status_code}): run this command with the "
            "server's SECRET_KEY and DATABASE_URL."
        )


def token_of(user: User) -> dict[str, str]:
    """The header to speak for a user with: minted here, for nobody knows a password of theirs."""
    return {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


def await_catalogue(skus: Sequence[str], *, progress: Progress) -> None:
    """Wait until orders can be placed for the products: events tell the orders service of them.

    Raises:
        SimulationFailed: for a while it heard of no more of them.
    """
    known, changed_at = -1, time.monotonic()
    while known < len(skus):
        found = sum(CatalogueItem.objects.filter(sku__in=chunk).count() for chunk in chunks(skus))
        progress("orderable", found, len(skus), "")
        if found > known:
            known, changed_at = found, time.monotonic()
        elif time.monotonic() - changed_at > CATALOGUE_LIMIT:
            raise SimulationFailed(
                f"After {CATALOGUE_LIMIT:g} s {len(skus) - found} of {len(skus)} products cannot be ordered yet: the "
                "relay or the worker of the queue orders does not run. Start them by manage.py up."
            )
        if found < len(skus):
            time.sleep(0.2)


def prices_that_differ(prices: Mapping[str, Decimal]) -> int:
    """How many products are sold at another price than that."""
    return sum(
        price != prices[sku]
        for chunk in chunks(prices)
        for sku, price in CatalogueItem.objects.filter(sku__in=chunk).values_list("sku", "price")
    )


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """So many at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
