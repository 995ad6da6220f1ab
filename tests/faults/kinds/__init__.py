"""The kinds of faults. Each is a function that breaks the running system, shows that it did, and heals it.

Every module here registers its kinds by @fault; what a kind may count on is tests/faults/cluster.py.
"""

from tests.faults.kinds import (
    bells,
    broker,
    cache,
    clocks,
    database,
    handlers,
    hands,
    mail,
    messages,
    orders,
    relays,
    releases,
    versions,
    web,
    workers,
)
from tests.faults.kinds.registry import KINDS, Fault

__all__ = [
    "KINDS",
    "Fault",
    "bells",
    "broker",
    "cache",
    "clocks",
    "database",
    "handlers",
    "hands",
    "mail",
    "messages",
    "orders",
    "relays",
    "releases",
    "versions",
    "web",
    "workers",
]
