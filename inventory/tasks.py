"""Event -> operation: what inventory reacts to."""

from collections.abc import Sequence

from inventory import operations
from project.bus.consumer import subscribe
from project.events import OrderCancelled, OrderPlaced


@subscribe(OrderPlaced, batch=True)
def reserve_stock(events: Sequence[OrderPlaced]) -> None:
    """Reserve what the orders ask for, or reject them."""
    operations.reserve_stock(orders=events)


@subscribe(OrderCancelled, batch=True)
def release_stock(events: Sequence[OrderCancelled]) -> None:
    """Give back what the orders hold."""
    operations.release_stock(cancelled=events)
