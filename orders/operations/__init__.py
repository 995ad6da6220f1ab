"""What can be done with orders. Each verb is one function and one transaction, and takes keywords only.

`place_order`, `place_orders`, `open_welcome_order`; `cancel_order`, `confirm_orders`, `reject_orders`; and
`keep_catalogue`. Input that cannot be accepted raises `InvalidOrder`, which names the field; a step that the graph does
not have raises `StatusForbids`. Nothing was changed then.
"""

from orders.operations.catalogue import keep_catalogue
from orders.operations.placing import (
    MOST_LINES,
    MOST_UNITS,
    InvalidOrder,
    NewOrder,
    open_welcome_order,
    place_order,
    place_orders,
)
from orders.operations.steps import (
    StatusForbids,
    Step,
    UnknownOrder,
    cancel_order,
    confirm_orders,
    move,
    reject_orders,
)

__all__ = [
    "MOST_LINES",
    "MOST_UNITS",
    "InvalidOrder",
    "NewOrder",
    "StatusForbids",
    "Step",
    "UnknownOrder",
    "cancel_order",
    "confirm_orders",
    "keep_catalogue",
    "move",
    "open_welcome_order",
    "place_order",
    "place_orders",
    "reject_orders",
]
