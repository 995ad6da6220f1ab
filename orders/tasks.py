"""The event handlers of the orders service."""

from collections.abc import Sequence

from orders import operations
from project.bus import subscribe
from project.events import ProductChanged, StockRejected, StockReserved, UserCreated


@subscribe(UserCreated)
def open_welcome_order(event: UserCreated) -> None:
    """Place the welcome order of a new user."""
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
