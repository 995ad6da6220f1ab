"""The orders that every system is given: the same ones for the same seed, in the same order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

PRODUCTS = 1_000
CUSTOMERS = 1_000
#: Units of each product in the beginning: enough for all, so that every system has to end with the same rows.
UNITS = 100_000_000
#: The hot mix puts this share of the lines on so few products.
HOT_PRODUCTS, HOT_SHARE = 10, 0.8
MIXES = ("uniform", "hot")
#: Orders in one transaction of those who place in bulk.
BULK = 100
#: The seed of the orders that are there before anything is measured.
HISTORY_SEED = 0


@dataclass(frozen=True, slots=True)
class Spec:
    """An order to be placed: a customer, and one to three lines of SKU and quantity."""

    customer_id: UUID
    lines: tuple[tuple[str, int], ...]


def sku(number: int) -> str:
    """The SKU of a product."""
    return f"SKU-{number:04}"


def price(number: int) -> Decimal:
    """Its price."""
    return Decimal(100 + number) / 100


PRICES = {sku(number): price(number) for number in range(PRODUCTS)}


def customer_id(number: int) -> UUID:
    """The id of a customer."""
    return UUID(int=(0xC0FFEE << 64) + number)


def specs(*, count: int, seed: int, mix: str = "uniform") -> list[Spec]:
    """So many orders of one to three different products."""
    chance = random.Random(seed)
    return [_spec(chance, hot=mix == "hot") for _ in range(count)]


def _spec(chance: random.Random, *, hot: bool) -> Spec:
    wanted: dict[str, int] = {}
    for _ in range(chance.randint(1, 3)):
        among = HOT_PRODUCTS if hot and chance.random() < HOT_SHARE else PRODUCTS
        wanted[sku(chance.randrange(among))] = chance.randint(1, 3)
    return Spec(customer_id(chance.randrange(CUSTOMERS)), tuple(wanted.items()))


def total(spec: Spec) -> Decimal:
    """What an order comes to."""
    return sum((quantity * PRICES[sku] for sku, quantity in spec.lines), Decimal(0))


def chunks(orders: Sequence[Spec], size: int = BULK) -> list[Sequence[Spec]]:
    """The orders in sets."""
    return [orders[start : start + size] for start in range(0, len(orders), size)]
