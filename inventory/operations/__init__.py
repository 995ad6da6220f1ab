"""The operations on inventory. Each is one function and one transaction, and takes keyword arguments only.

The catalogue: `add_product`, `change_product`, `add_location`, `change_location`. Stock and its ledger:
`receive_stock`, `adjust_stock`, `transfer_stock`, `find_drift`. Many products at once: `supply`, `inspect_arrivals`,
`receive_arrivals`. Orders: `reserve_stock`, `release_stock`.

All of them lock in the same order, so they cannot deadlock: allocations by order id, then stock rows by id. Invalid
input raises `project.errors.InvalidInput`, which names the field, and changes nothing.
"""

from inventory.operations.arrivals import Arrival, BadLine, Inspection, inspect_arrivals, receive_arrivals
from inventory.operations.catalogue import add_location, add_product, change_location, change_product
from inventory.operations.drift import Drift, find_drift
from inventory.operations.reservations import release_stock, reserve_stock
from inventory.operations.stock import adjust_stock, receive_stock, transfer_stock
from inventory.operations.supplies import Supply, supply

__all__ = [
    "Arrival",
    "BadLine",
    "Drift",
    "Inspection",
    "Supply",
    "add_location",
    "add_product",
    "adjust_stock",
    "change_location",
    "change_product",
    "find_drift",
    "inspect_arrivals",
    "receive_arrivals",
    "receive_stock",
    "release_stock",
    "reserve_stock",
    "supply",
    "transfer_stock",
]
