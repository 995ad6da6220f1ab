"""Fixtures of the tests of orders."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from orders.models import Order
from orders.operations import keep_catalogue, place_order
from project.events import Line, ProductChanged


@pytest.fixture
def catalogue(db: None) -> Callable[..., None]:
    """Add products to orders' catalogue: `catalogue("TEA", price="2.50")`."""

    def catalogue(*skus: str, sequence: int = 1, **fields: Any) -> None:
        known: dict[str, Any] = {"name": "Tea", "price": "2.50", "currency": "EUR", "active": True} | fields
        known["price"] = Decimal(known["price"])
        keep_catalogue(changes=[ProductChanged(sku=sku, sequence=sequence, **known) for sku in skus])

    return catalogue


@pytest.fixture
def place(catalogue: Callable[..., None]) -> Callable[..., Order]:
    """Place an order of two units of TEA."""
    catalogue("TEA")

    def place(**fields: Any) -> Order:
        order: dict[str, Any] = {"customer_id": uuid4(), "lines": [Line(sku="TEA", quantity=2)]}
        return place_order(**order | fields)

    return place
