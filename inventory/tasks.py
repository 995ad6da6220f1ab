"""The event handlers of the inventory service."""

from collections.abc import Sequence

from inventory import operations
from project.bus import subscribe
from project.events import OrderCancelled, OrderPlaced


@subscribe(OrderPlaced, batch=True)
def reserve_stock(events: Sequence[OrderPlaced]) -> None:
    """Reserve stock for the orders, or reject them."""
    operations.reserve_stock(orders=events)


@subscribe(OrderCancelled, batch=True)
def release_stock(events: Sequence[OrderCancelled]) -> None:
    """Release the stock of cancelled orders."""
    operations.release_stock(cancelled=events)
