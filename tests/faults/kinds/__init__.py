"""The kinds of faults. Each is a function that breaks the running system, proves that it did, and ends the fault.

Every module here registers its kinds with @fault; tests/faults/cluster.py has what a kind may use.
"""

# Not sorted: a seed draws from the kinds in this sequence.
# isort: off
from tests.faults.kinds import (
    bells,
    broker,
    cache,
    clocks,
    database,
    handlers,
    operators,
    mail,
    messages,
    orders,
    relays,
    releases,
    versions,
    web,
    workers,
)

# isort: on
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
    "mail",
    "messages",
    "operators",
    "orders",
    "relays",
    "releases",
    "versions",
    "web",
    "workers",
]
