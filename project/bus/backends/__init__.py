"""The databases that the bus works on, behind one protocol (base.Backend). The only place that asks which one it is."""

from functools import cache

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from .. import conf
from .base import Backend, Claim, HandlerHead
from .postgresql import PostgreSQL
from .sqlite import SQLite

__all__ = ["Backend", "Claim", "HandlerHead", "backend", "backend_of", "bus_atomic", "bus_connection"]


def bus_connection() -> BaseDatabaseWrapper:
    """This thread's connection to the bus's database."""
    return connections[conf.database()]


def bus_atomic() -> Atomic:
    """A transaction on the bus's database."""
    return transaction.atomic(using=conf.database())


def backend() -> Backend:
    """The statements of the bus's database."""
    return backend_of(conf.database())


@cache
def backend_of(alias: str) -> Backend:
    """The statements of a database.

    Raises:
        KeyError: the bus does not know this kind of database.
    """
    backends: dict[str, type[PostgreSQL | SQLite]] = {"postgresql": PostgreSQL, "sqlite": SQLite}
    return backends[connections[alias].vendor](alias)
