"""The published language: every event of the system. Events have ids, never names or e-mail addresses of people.

The handlers of an event are in each service's tasks.py, marked with ``@subscribe``.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from project.bus import Event


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity of one product."""

    sku: str
    quantity: int


class UserCreated(Event, name="users.user_created", subject="user_id"):
    """An account was created."""

    user_id: UUID
    #: Whether its address is confirmed. Where it is not, AddressConfirmed may follow.
    confirmed: bool = True


class AddressConfirmed(Event, name="users.address_confirmed", subject="user_id"):
    """The address of an account was confirmed after the account was created, or after the address was changed."""

    user_id: UUID


class ConfirmationRequested(Event, name="users.confirmation_requested", subject="user_id"):
    """An address is to be confirmed: it was changed, or another link was asked for. There may be no such account."""

    user_id: UUID


class RegistrationRepeated(Event, name="users.registration_repeated", subject="user_id"):
    """Somebody registered with the address of this account, which stays as it is."""

    user_id: UUID


class ProductChanged(Event, name="inventory.product_changed", subject="sku"):
    """A product was added or changed; of two events, the one with the higher `sequence` is the newer."""

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
    """An order cannot be fulfilled; no stock is reserved for it."""

    order_id: UUID
    customer_id: UUID
    reason: str


class OrderCancelled(Event, name="orders.order_cancelled", subject="order_id"):
    """An order was cancelled; the stock reserved for it is to be released."""

    order_id: UUID
    customer_id: UUID
    reason: str


class StockReserved(Event, name="inventory.stock_reserved", subject="order_id"):
    """Every line of an order is reserved."""

    order_id: UUID


class StockRejected(Event, name="inventory.stock_rejected", subject="order_id"):
    """Not all lines of an order can be reserved, so no line is."""

    order_id: UUID
    reason: str
