"""A worker's database sessions: time-outs while it answers bells, and care after a session was lost."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import task_prerun, worker_init
from django.db import DatabaseError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from .. import conf
from ..backends import backend, bus_connection
from ..registry import handlers
from .claims import forget_watermarks

#: Seconds after a lost session in which claims are single and durable: one of the events may have caused the loss.
CAUTION_S = 10.0

_cautious_until = 0.0


class _Limits(threading.local):
    """A thread's session with time-outs, and its settings from before."""

    #: Whether a bell is being answered, so that new sessions get the time-outs.
    wanted: bool = False
    session: object = None
    before: Mapping[str, str] = {}


_limits = _Limits()
_in_worker = False


def is_cautious() -> bool:
    """Whether a session was lost a moment ago."""
    return time.monotonic() < _cautious_until


@worker_init.connect
def limit_sessions(**_: object) -> None:
    """Let sessions in this process have time-outs, because it is a worker."""
    global _in_worker  # noqa: PLW0603 - what a process is does not change
    _in_worker = True


@contextmanager
def limited() -> Iterator[None]:
    """In a worker, give the bus's sessions time-outs inside the block, so that no session holds rows for ever.

    They stay until a task that is not a bell runs in this process: such a task finds its session as it left it.
    """
    here = bus_connection()
    _limits.wanted = _in_worker
    try:
        if _limits.wanted and here.connection is not None and here.connection is not _limits.session:
            _limit(here)
        yield
    finally:
        _limits.wanted = False


def _limit(here: BaseDatabaseWrapper) -> None:
    _limits.before = backend().limit_session()
    _limits.session = here.connection


@receiver(connection_created)
def _limit_new_session(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    if _limits.wanted and connection.alias == conf.database():
        _limit(connection)


@task_prerun.connect
def _unlimit_for_other_tasks(*, sender: Any, **_: object) -> None:
    # A handler may run a task within its bell, which keeps the time-outs.
    if _limits.wanted or _limits.session is None or sender.name in handlers:
        return
    session, _limits.session = _limits.session, None
    if bus_connection().connection is session:
        try:
            backend().unlimit_session(_limits.before)
        except (DatabaseError, InterfaceError):
            bus_connection().close()  # it was lost meanwhile, and the task gets a new one


def clean_up(error: Exception, *, session: object) -> None:
    """Leave no broken session behind, because Celery may keep it for the next task; be careful after a lost one.

    Args:
        session: the session from before the error; Django may have opened a new one since.
    """
    global _cautious_until  # noqa: PLW0603 - a process answers one bell at a time
    here = bus_connection()
    if here.in_atomic_block:
        return  # a test's transaction around everything
    lost = isinstance(error, DatabaseError) and (here.connection is not session or not here.is_usable())
    if lost:
        _cautious_until = time.monotonic() + CAUTION_S
        forget_watermarks()  # a crash of the database may have undone claims
    if lost or isinstance(error, SoftTimeLimitExceeded):
        here.close()
