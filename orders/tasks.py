"""The event handlers of the orders service."""

from collections.abc import Sequence

from django.conf import settings

from orders import operations
from project.bus import subscribe
from project.events import AddressConfirmed, ProductChanged, StockRejected, StockReserved, UserCreated


@subscribe(UserCreated)
def open_welcome_order(event: UserCreated) -> None:
    """Place the welcome order of a new user, unless the address must be confirmed first: anybody can register any."""
    if event.confirmed or not settings.CONFIRM_EMAIL:
        operations.open_welcome_order(user_id=event.user_id, cause=event)


@subscribe(AddressConfirmed)
def open_welcome_order_when_confirmed(event: AddressConfirmed) -> None:
    """Place the welcome order of a user whose address is confirmed now, unless it was placed before."""
    operations.open_welcome_order(user_id=event.user_id, cause=event)


@subscribe(StockReserved, batch=True)
def confirm_orders(events: Sequence[StockReserved]) -> None:
    """Confirm the orders whose stock is reserved."""
    operations.confirm_orders(reserved=events)


@subscribe(StockRejected, batch=True)
def reject_orders(events: Sequence[StockRejected]) -> None:
    """Reject the orders that inventory cannot fulfil."""
    operations.reject_orders(rejected=events)


@subscribe(ProductChanged, batch=True)
def keep_catalogue(events: Sequence[ProductChanged]) -> None:
    """Update the copy of the products for sale."""
    operations.keep_catalogue(changes=events)
