"""Inventory in the admin: the catalogue can be edited, stock changes by operations, the ledger is read-only."""

from inventory.admin import catalogue, ledger, reservations, stock

__all__ = ["catalogue", "ledger", "reservations", "stock"]
