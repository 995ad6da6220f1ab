"""A pytest plugin for tests of code that publishes and handles events. It needs pytest-django.

Installed as orderly-bus it is loaded by itself; from this folder, by `pytest_plugins = ["project.bus.pytest_plugin"]`
in the top conftest.py. Three fixtures let a test be the relay, the workers and time, in one process and without a
broker:

`drain()`
    Handle everything that is due as workers would, until nothing is. A handler that fails is not an error of the test:
    its delivery is due again after a backoff, or dead.
`published()`, `published(ItemSold)`
    The events published so far, oldest first, all or those of one type.
`bus_clock.advance(timedelta(...))`
    Let time pass for deliveries and circuit breakers: scheduled deliveries, retries and leases become due, and open
    circuits half-open. Also within a test's transaction, where PostgreSQL's now() stands still.

Example::

    @pytest.mark.django_db
    def test_a_reminder_is_sent_after_a_day(drain, published, bus_clock, mailoutbox):
        publish(ItemSold(item="hat"), delay=timedelta(days=1))
        drain()
        assert not mailoutbox
        bus_clock.advance(timedelta(days=1))
        drain()
        assert len(mailoutbox) == 1
        assert [event.item for event in published(ItemSold)] == ["hat"]

A subscription is a row that `migrate` writes, so the test database has those of the code. Tests of a bus on another
database than the default also need `@pytest.mark.django_db(databases=[...])`.
"""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

import pytest

from ..events import Event


class Published(Protocol):
    """Returns the events published so far, oldest first."""

    def __call__(self, event_type: type[Event] | None = None) -> list[Any]: ...


class BusClock(Protocol):
    """The time of deliveries and circuit breakers."""

    def advance(self, by: timedelta) -> None:
        """Let this much time pass."""


@pytest.fixture
def drain(db: None) -> Callable[[], None]:  # noqa: ARG001 - allows the database
    """Handles everything that is due in this process, until nothing is; fails with what is due if there is no end."""
    function: Callable[[], None] = _in_process().drain
    return function


@pytest.fixture
def published(db: None) -> Published:  # noqa: ARG001 - allows the database
    """Returns the events published so far, oldest first: all, or those of one type."""
    function: Published = _in_process().published
    return function


@pytest.fixture
def bus_clock(db: None) -> BusClock:  # noqa: ARG001 - allows the database
    """Lets time pass: `bus_clock.advance(timedelta(minutes=5))`."""
    clock: BusClock = _in_process().Clock()
    return clock


def _in_process() -> Any:
    # It imports models. pytest imports this plugin before pytest-django has set Django up, and calls fixtures after.
    return import_module(f"{__name__}.in_process")
