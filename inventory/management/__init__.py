"""Inventory's commands."""
