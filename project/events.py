"""The published language: every event of the system. Events carry ids, never names or e-mail addresses.

Who reacts to an event is said in each service's tasks.py, by ``@subscribe``.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from project.bus.events import Event


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of one product."""

    sku: str
    quantity: int


class UserCreated(Event, name="users.user_created", subject="user_id"):
    """Somebody has an account now."""

    user_id: UUID


class ProductChanged(Event, name="inventory.product_changed", subject="sku"):
    """A product is new, or what others may know of it has changed; `sequence` tells which state is the later."""

    sku: str
    name: str
    price: Decimal
    currency: str
    active: bool


class OrderPlaced(Event, name="orders.order_placed", subject="order_id"):
    """A customer placed an order; nothing is reserved yet."""

    order_id: UUID
    customer_id: UUID
    lines: list[Line]


class OrderConfirmed(Event, name="orders.order_confirmed", subject="order_id"):
    """All units of an order are reserved for it."""

    order_id: UUID
    customer_id: UUID


class OrderRejected(Event, name="orders.order_rejected", subject="order_id"):
    """An order cannot be met; it holds no stock."""

    order_id: UUID
    customer_id: UUID
    reason: str


class OrderCancelled(Event, name="orders.order_cancelled", subject="order_id"):
    """An order was called off; what it holds is to be released."""

    order_id: UUID
    customer_id: UUID
    reason: str


class StockReserved(Event, name="inventory.stock_reserved", subject="order_id"):
    """Every line of an order is reserved."""

    order_id: UUID


class StockRejected(Event, name="inventory.stock_rejected", subject="order_id"):
    """An order's lines cannot all be reserved, so none is."""

    order_id: UUID
    reason: str
