"""Plans for simulations, and parsing of the table that they print."""

import re
from decimal import Decimal

from project.demo.simulation_plan import Basket, Plan


def cups(*customers: str, sku: str = "CUP") -> Plan:
    """A plan in which each customer orders one cup."""
    baskets = [Basket(customer, {sku: 1}) for customer in customers]
    return Plan(customers=customers, prices={sku: Decimal("4.50")}, orders=len(baskets), baskets=lambda: iter(baskets))


def ignore_progress(step: str, done: int, total: int, note: str = "") -> None:
    pass


def table_figures(printed: str) -> dict[str, int]:
    """The integers of the table, by name."""
    return {name: int(figure.replace(",", "")) for name, figure in re.findall(r"│ (\D+?) +│ +([\d,]+) │", printed)}
