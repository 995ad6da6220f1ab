"""Plans, and what is read off a simulation's table."""

import re
from decimal import Decimal

from project.console.simulation_plan import Basket, Plan


def cups(*customers: str, sku: str = "CUP") -> Plan:
    """A plan: each customer orders a cup."""
    baskets = [Basket(customer, {sku: 1}) for customer in customers]
    return Plan(customers=customers, prices={sku: Decimal("4.50")}, orders=len(baskets), baskets=lambda: iter(baskets))


def silent(step: str, done: int, total: int, note: str) -> None:
    """Shows no progress."""


def figures(printed: str) -> dict[str, int]:
    """The whole numbers of the table."""
    return {name: int(figure.replace(",", "")) for name, figure in re.findall(r"│ (\D+?) +│ +([\d,]+) │", printed)}
