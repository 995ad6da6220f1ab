"""The operations on orders. Each is one function and one transaction, and takes keyword arguments only.

`place_order`, `place_orders` and `open_welcome_order` write orders; `cancel_order`, `confirm_orders` and
`reject_orders` change their status; `keep_catalogue` updates the copy of the products. Invalid input raises
`InvalidOrder`, which names the field. A status change that the graph does not have raises `TransitionNotAllowed`.
Neither changes anything.
"""

from orders.operations.catalogue import keep_catalogue
from orders.operations.placing import (
    MAX_LINES,
    MAX_UNITS_PER_LINE,
    InvalidOrder,
    NewOrder,
    open_welcome_order,
    place_order,
    place_orders,
)
from orders.operations.transitions import (
    CANCELLED_BY_THE_SHOP,
    Transition,
    TransitionNotAllowed,
    UnknownOrder,
    cancel_order,
    confirm_orders,
    reject_orders,
    transition,
)

__all__ = [
    "CANCELLED_BY_THE_SHOP",
    "MAX_LINES",
    "MAX_UNITS_PER_LINE",
    "InvalidOrder",
    "NewOrder",
    "Transition",
    "TransitionNotAllowed",
    "UnknownOrder",
    "cancel_order",
    "confirm_orders",
    "keep_catalogue",
    "open_welcome_order",
    "place_order",
    "place_orders",
    "reject_orders",
    "transition",
]
