"""Generates the orders that every system gets: the same orders in the same sequence for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

PRODUCTS = 1_000
CUSTOMERS = 1_000
#: Initial stock: enough for all orders, so that every system ends with the same rows.
UNITS_PER_PRODUCT = 100_000_000
#: The hot mix puts this share of the lines on this number of products.
HOT_PRODUCTS, HOT_SHARE = 10, 0.8
MIXES = ("uniform", "hot")
ORDERS_PER_TRANSACTION = 100
#: The seed of the orders that exist before anything is measured.
HISTORY_SEED = 0


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """An order to place: a customer, and one to three lines of SKU and quantity."""

    customer_id: UUID
    lines: tuple[tuple[str, int], ...]


def sku(number: int) -> str:
    """The SKU of a product."""
    return f"SKU-{number:04}"


def price(number: int) -> Decimal:
    """The price of a product."""
    return Decimal(100 + number) / 100


PRICES = {sku(number): price(number) for number in range(PRODUCTS)}


def customer_id(number: int) -> UUID:
    """The id of a customer."""
    return UUID(int=(0xC0FFEE << 64) + number)


def generate_orders(*, count: int, seed: int, mix: str = "uniform") -> list[OrderSpec]:
    """Orders of one to three different products."""
    chance = random.Random(seed)
    return [_spec(chance, hot=mix == "hot") for _ in range(count)]


def _spec(chance: random.Random, *, hot: bool) -> OrderSpec:
    wanted: dict[str, int] = {}
    for _ in range(chance.randint(1, 3)):
        among = HOT_PRODUCTS if hot and chance.random() < HOT_SHARE else PRODUCTS
        wanted[sku(chance.randrange(among))] = chance.randint(1, 3)
    return OrderSpec(customer_id(chance.randrange(CUSTOMERS)), tuple(wanted.items()))


def order_total(spec: OrderSpec) -> Decimal:
    """The total of an order."""
    return sum((quantity * PRICES[sku] for sku, quantity in spec.lines), Decimal(0))


def in_batches(orders: Sequence[OrderSpec], size: int = ORDERS_PER_TRANSACTION) -> list[Sequence[OrderSpec]]:
    """The orders in sequences of this size."""
    return [orders[start : start + size] for start in range(0, len(orders), size)]
