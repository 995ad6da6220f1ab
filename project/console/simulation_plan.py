"""What `manage.py simulate` is to order: read from a purchase log, or made up from a seed."""

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
from orders.models import LONGEST_SKU
from orders.operations import MOST_LINES, MOST_UNITS

COLUMNS = ("customer", "placed_at", "sku", "quantity", "unit_price")
#: What the columns of a price hold.
HIGHEST_PRICE = Decimal("9999999999.99")

#: What is made up: so many products, of which an order has one to `MOST_MADE_UP` and one to so many units of each.
MADE_UP_PRODUCTS = 50
MOST_MADE_UP = 3


class Basket(NamedTuple):
    """One order: who wants how many units of which products."""

    customer: str
    units: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is to be ordered, by whom, and at which prices."""

    customers: Sequence[str]
    prices: Mapping[str, Decimal]
    orders: int
    #: Gives the orders in their sequence, the same ones at every call: made-up ones are never all in memory.
    baskets: Callable[[], Iterable[Basket]]

    def demand(self) -> Counter[str]:
        """How many units of each product are ordered."""
        demand: Counter[str] = Counter()
        for basket in self.baskets():
            demand.update(basket.units)
        return demand


class BadLog(Exception):
    """A purchase log cannot be replayed; `problems` says why, line by line."""

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
    """Orders that are put together from rows, whatever order these come in."""

    baskets: dict[tuple[date, str], dict[str, int]] = field(default_factory=dict)
    #: The price of each product's latest purchase, and its day.
    latest: dict[str, tuple[date, Decimal]] = field(default_factory=dict)

    def add(self, purchase: Purchase) -> Iterator[str]:
        """Add a row; yields what is wrong with the order that it becomes part of."""
        key = (purchase.day, purchase.customer)
        units = self.baskets.setdefault(key, {})
        units[purchase.sku] = units.get(purchase.sku, 0) + purchase.quantity
        whose = f"the order of customer {purchase.customer!r} on {purchase.day}"
        if units[purchase.sku] > MOST_UNITS:
            yield f"{whose} comes to more than {MOST_UNITS} units of {purchase.sku!r}"
        if len(units) > MOST_LINES:
            yield f"{whose} comes to more than {MOST_LINES} products"
        if purchase.sku not in self.latest or self.latest[purchase.sku][0] <= purchase.day:
            self.latest[purchase.sku] = (purchase.day, purchase.price)


def read_log(path: Path) -> Plan:
    """The orders of a purchase log, by day and then as they come in it: a customer's rows of one day are one order.

    Raises:
        BadLog: naming each line that is wrong.
        OSError: the file cannot be read.
    """
    grouping = Grouping()
    problems: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        try:
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                header = f"the first line names no column {', '.join(missing)}"
                raise BadLog(f"line 1: {header}; it must name {','.join(COLUMNS)}")
            for row in rows:
                purchase, errors = parse(row)
                if purchase is not None:
                    errors = list(grouping.add(purchase))
                problems += (f"line {rows.line_num}: {error}" for error in errors)
        except UnicodeDecodeError as error:
            raise BadLog(f"after line {rows.line_num}: it is not text in UTF-8") from error
        except csv.Error as error:
            raise BadLog(f"line {rows.line_num}: {error}") from error
    if problems:
        raise BadLog(*problems)
    if not grouping.baskets:
        raise BadLog("line 2: there is no purchase")
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
    """One row of a log, or all that is wrong with it."""
    errors: list[str] = []
    texts: dict[str, str] = {}
    if None in row:
        errors.append("it has more values than the first line names columns")
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
        errors.append(f"placed_at {texts['placed_at']!r} is no date such as 2026-01-31, with or without a time")
    quantity = parse_quantity(texts["quantity"])
    if texts["quantity"] and quantity is None:
        errors.append(f"quantity {texts['quantity']!r} is not a whole number from 1 to {MOST_UNITS}")
    price = parse_price(texts["unit_price"])
    if texts["unit_price"] and price is None:
        errors.append(
            f"unit_price {texts['unit_price']!r} is not a number from 0 to {HIGHEST_PRICE} with at most two decimals"
        )
    if errors or day is None or quantity is None or price is None:
        return None, errors
    return Purchase(customer, day, sku, quantity, price), []


def sku_problem(sku: str) -> str:
    """Why no product can have this SKU; empty when one can."""
    if len(sku) > LONGEST_SKU:
        return f"use at most {LONGEST_SKU} characters"
    try:
        code_validator(sku)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def parse_day(text: str) -> date | None:
    """The day of an ISO 8601 date or time; None if it is neither."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def parse_quantity(text: str) -> int | None:
    """A number of units that an order can ask for; None if it is none."""
    if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= MOST_UNITS:
        return int(text)
    return None


def parse_price(text: str) -> Decimal | None:
    """A price that a product can have; None if it is none."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,20})?", text):
        return None
    price = Decimal(text)
    return round(price, 2) if price <= HIGHEST_PRICE and round(price, 2) == price else None


def make_up(*, users: int, orders: int, seed: int) -> Plan:
    """So many orders of so many customers, the same for the same seed; products and prices are always the same."""
    prices = {f"SIM-{number:03}": 2 + Decimal(number * 37 % 500) / 10 for number in range(1, MADE_UP_PRODUCTS + 1)}
    customers = [f"sim-{number:05}" for number in range(1, users + 1)]
    return Plan(
        customers=customers,
        prices=prices,
        orders=orders,
        baskets=partial(made_up_baskets, customers=customers, skus=list(prices), orders=orders, seed=seed),
    )


def made_up_baskets(*, customers: Sequence[str], skus: Sequence[str], orders: int, seed: int) -> Iterator[Basket]:
    """Orders as shops have them: some products are wanted much more often than others."""
    random = Random(seed)
    # Zipf's law: the tenth is wanted a tenth as often as the first.
    weights = list(accumulate(1 / rank for rank in range(1, len(skus) + 1)))
    for _ in range(orders):
        chosen = random.choices(skus, cum_weights=weights, k=random.randint(1, MOST_MADE_UP))
        yield Basket(random.choice(customers), {sku: random.randint(1, MOST_MADE_UP) for sku in sorted(set(chosen))})
