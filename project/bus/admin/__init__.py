"""The bus in Django admin. Its tables are read-only; its actions call the same operations as the command `bus`."""

from . import deliveries, events, failures, subscriptions

__all__ = ["deliveries", "events", "failures", "subscriptions"]
