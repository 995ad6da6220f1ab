"""The orders of `manage.py simulate`: read from a purchase log, or random from a seed."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

from django.core.exceptions import ValidationError

from inventory.models import code_validator
from orders.models import MAX_SKU_LENGTH
from orders.operations import MAX_LINES, MAX_UNITS_PER_LINE

COLUMNS = ("customer", "placed_at", "sku", "quantity", "unit_price")
#: The highest value that the columns of prices hold.
MAX_PRICE = Decimal("9999999999.99")

#: Random orders have 1 to MAX_RANDOM of these products, and 1 to MAX_RANDOM units of each.
RANDOM_PRODUCTS = 50
MAX_RANDOM = 3


class Basket(NamedTuple):
    """One order: its customer, and the units of each product."""

    customer: str
    units: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Orders to place, with their customers and prices."""

    customers: Sequence[str]
    prices: Mapping[str, Decimal]
    orders: int
    #: Returns the same orders in the same sequence at every call, so that random ones are never all in memory.
    baskets: Callable[[], Iterable[Basket]]

    def demand(self) -> Counter[str]:
        """Count the ordered units of each product."""
        demand: Counter[str] = Counter()
        for basket in self.baskets():
            demand.update(basket.units)
        return demand


class InvalidLog(Exception):
    """A purchase log is not valid; `problems` says why, line by line."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Purchase(NamedTuple):
    """One row of a log."""

    customer: str
    day: date
    sku: str
    quantity: int
    price: Decimal


@dataclass(kw_only=True)
class Grouping:
    """Groups rows, in any sequence, into orders."""

    baskets: dict[tuple[date, str], dict[str, int]] = field(default_factory=dict)
    #: The day and the price of each product's latest purchase.
    latest: dict[str, tuple[date, Decimal]] = field(default_factory=dict)

    def add(self, purchase: Purchase) -> Iterator[str]:
        """Add a row, and yield the errors of the order that it becomes part of."""
        key = (purchase.day, purchase.customer)
        units = self.baskets.setdefault(key, {})
        units[purchase.sku] = units.get(purchase.sku, 0) + purchase.quantity
        order = f"the order of customer {purchase.customer!r} on {purchase.day}"
        if units[purchase.sku] > MAX_UNITS_PER_LINE:
            yield f"{order} comes to more than {MAX_UNITS_PER_LINE} units of {purchase.sku!r}"
        if len(units) > MAX_LINES:
            yield f"{order} comes to more than {MAX_LINES} products"
        if purchase.sku not in self.latest or self.latest[purchase.sku][0] <= purchase.day:
            self.latest[purchase.sku] = (purchase.day, purchase.price)


def read_log(path: Path) -> Plan:
    """Read the orders of a purchase log, sorted by day. The rows of a customer and day are one order.

    Raises:
        InvalidLog: naming each wrong line.
        OSError: the file cannot be read.
    """
    grouping = Grouping()
    problems: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        try:
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                header = f"the header lacks the column {', '.join(missing)}"
                raise InvalidLog(f"line 1: {header}; it must name {','.join(COLUMNS)}")
            for row in rows:
                purchase, errors = parse(row)
                if purchase is not None:
                    errors = list(grouping.add(purchase))
                problems += (f"line {rows.line_num}: {error}" for error in errors)
        except UnicodeDecodeError as error:
            raise InvalidLog(f"after line {rows.line_num}: it is not text in UTF-8") from error
        except csv.Error as error:
            raise InvalidLog(f"line {rows.reader.line_num}: {error}") from error
    if problems:
        raise InvalidLog(*problems)
    if not grouping.baskets:
        raise InvalidLog("line 2: the log has no purchase")
    baskets = [
        Basket(customer, units)
        for (_, customer), units in sorted(grouping.baskets.items(), key=lambda item: item[0][0])
    ]
    return Plan(
        customers=sorted({basket.customer for basket in baskets}),
        prices={sku: price for sku, (_, price) in sorted(grouping.latest.items())},
        orders=len(baskets),
        baskets=lambda: baskets,
    )


def parse(row: Mapping[str | None, str | list[str] | None]) -> tuple[Purchase | None, list[str]]:
    """Parse one row, or return all its errors."""
    errors: list[str] = []
    texts: dict[str, str] = {}
    if None in row:
        errors.append("it has more values than the header has columns")
    for name in COLUMNS:
        value = row[name]
        texts[name] = value.strip() if isinstance(value, str) else ""
        if not texts[name]:
            errors.append(f"{name} is missing" if value is None else f"{name} is empty")
    customer, sku = texts["customer"], texts["sku"]
    if "\0" in customer:
        errors.append("customer contains a NUL character")
    if sku and (problem := sku_problem(sku)):
        errors.append(f"sku {sku!r}: {problem}")
    day = parse_day(texts["placed_at"])
    if texts["placed_at"] and day is None:
        errors.append(f"placed_at {texts['placed_at']!r} is not a date such as 2026-01-31, with or without a time")
    quantity = parse_quantity(texts["quantity"])
    if texts["quantity"] and quantity is None:
        errors.append(f"quantity {texts['quantity']!r} is not a whole number from 1 to {MAX_UNITS_PER_LINE}")
    price = parse_price(texts["unit_price"])
    if texts["unit_price"] and price is None:
        errors.append(
            f"unit_price {texts['unit_price']!r} is not a number from 0 to {MAX_PRICE} with at most two decimals"
        )
    if errors or day is None or quantity is None or price is None:
        return None, errors
    return Purchase(customer, day, sku, quantity, price), []


def sku_problem(sku: str) -> str:
    """Describe why this cannot be a SKU; empty if it can be."""
    if len(sku) > MAX_SKU_LENGTH:
        return f"use at most {MAX_SKU_LENGTH} characters"
    try:
        code_validator(sku)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def parse_day(text: str) -> date | None:
    """Return the day of an ISO 8601 date or time; None for any other text."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def parse_quantity(text: str) -> int | None:
    """Return a quantity that an order can have; None for any other text."""
    if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= MAX_UNITS_PER_LINE:
        return int(text)
    return None


def parse_price(text: str) -> Decimal | None:
    """Return a price that a product can have; None for any other text."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,20})?", text):
        return None
    price = Decimal(text)
    return round(price, 2) if price <= MAX_PRICE and round(price, 2) == price else None


def random_plan(*, users: int, orders: int, seed: int) -> Plan:
    """Plan random orders, the same for the same seed. Products and prices are always the same."""
    prices = {f"SIM-{number:03}": 2 + Decimal(number * 37 % 500) / 10 for number in range(1, RANDOM_PRODUCTS + 1)}
    customers = [f"sim-{number:05}" for number in range(1, users + 1)]
    return Plan(
        customers=customers,
        prices=prices,
        orders=orders,
        baskets=partial(random_baskets, customers=customers, skus=list(prices), orders=orders, seed=seed),
    )


def random_baskets(*, customers: Sequence[str], skus: Sequence[str], orders: int, seed: int) -> Iterator[Basket]:
    """Yield random orders. As in a shop, some products are ordered much more often than others."""
    random = Random(seed)
    # Zipf's law: the tenth product is ordered a tenth as often as the first.
    weights = list(accumulate(1 / rank for rank in range(1, len(skus) + 1)))
    for _ in range(orders):
        chosen = random.choices(skus, cum_weights=weights, k=random.randint(1, MAX_RANDOM))
        yield Basket(random.choice(customers), {sku: random.randint(1, MAX_RANDOM) for sku in sorted(set(chosen))})
