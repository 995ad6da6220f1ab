"""What orders does when something happens elsewhere."""

from collections.abc import Sequence

from orders import operations
from project.bus.consumer import subscribe
from project.events import ProductChanged, StockRejected, StockReserved, UserCreated


@subscribe(UserCreated)
def open_welcome_order(event: UserCreated) -> None:
    """Greet a new user with an order."""
    operations.open_welcome_order(user_id=event.user_id, cause=event)


@subscribe(StockReserved, batch=True)
def confirm_orders(events: Sequence[StockReserved]) -> None:
    """Confirm what inventory has reserved."""
    operations.confirm_orders(reserved=events)


@subscribe(StockRejected, batch=True)
def reject_orders(events: Sequence[StockRejected]) -> None:
    """Reject what inventory cannot meet."""
    operations.reject_orders(rejected=events)


@subscribe(ProductChanged, batch=True)
def keep_catalogue(events: Sequence[ProductChanged]) -> None:
    """Keep the copy of what is for sale."""
    operations.keep_catalogue(changes=events)
