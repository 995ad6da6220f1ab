"""Inventory in Django admin: the catalogue is edited here, stock only through the operations, the ledger only read."""

from inventory.admin import catalogue, ledger, reservations, stock

__all__ = ["catalogue", "ledger", "reservations", "stock"]
