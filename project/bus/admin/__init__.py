"""The bus in Django admin: its tables are for reading, its actions call what the commands call."""

from . import events, failures, subscriptions

__all__ = ["events", "failures", "subscriptions"]
