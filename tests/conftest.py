"""Fixtures for all tests."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.cache import caches
from django.db import connection
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # xdist has no types

from project.api.counters import warnings
from project.bus import Event, subscribe
from project.bus.models import Subscription
from project.bus.registry import Handler, handlers
from project.bus.watermarks import Watermark
from tests.faults.brokers import RabbitMQ
from tests.services import need_rabbitmq, wait_for_coverage
from tests.system import System, running

pytest_plugins = ["project.bus.pytest_plugin"]

#: The path of the modules whose tests share a cluster of processes, one cluster for each module.
CLUSTER = "tests/faults/test_kinds"


class OneClusterAlone(LoadScopeScheduling):
    """Gives each test to any process, but runs the tests that share a cluster first, in one process.

    A mark, xdist_group, has no effect in pytest-xdist 3.8 with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return OneClusterAlone(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, on PostgreSQL, what SQLite's half of `make test` has run and no database changes."""
    if connection.vendor == "postgresql":
        once = [item for item in items if item.get_closest_marker("once")]
        config.hook.pytest_deselected(items=once)
        items[:] = [item for item in items if not item.get_closest_marker("once")]


@pytest.fixture(autouse=True)
def _no_welcome_orders(settings: Any) -> None:
    """Ignore the choice of `make run` in this checkout; a test that needs welcome orders sets the SKU."""
    settings.WELCOME_SKU = ""


@pytest.fixture(autouse=True)
def _unconfirmed_accounts_may_log_in(settings: Any) -> None:
    """As in `make run`; the tests of confirmation turn CONFIRM_EMAIL on."""
    settings.CONFIRM_EMAIL = False


@pytest.fixture(autouse=True)
def _no_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore BROKER_URL and a broker that runs in this checkout; a test that needs a broker starts one."""
    monkeypatch.setattr(current_app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")


@pytest.fixture(autouse=True)
def _no_throttled_addresses() -> None:
    """Forget the requests of earlier tests, which throttles count."""
    caches["throttles"].clear()
    warnings.next_at = float("-inf")


@pytest.fixture(autouse=True)
def _all_scans_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: else what a test dates back might lie before the mark."""
    monkeypatch.setattr(Watermark, "begin", lambda mark: 0.0)


@pytest.fixture
def subscribed(db: None) -> Iterator[Callable[..., Handler]]:
    """Subscribe a function of the test to event types until the test ends."""
    names = []

    def subscribed(function: Callable[..., object], *event_types: type[Event], **options: Any) -> Handler:
        subscribe(*event_types, **options)(function)
        handler = handlers[f"{function.__module__.split('.')[-2]}.{function.__name__}"]
        names.append(handler.name)
        Subscription.objects.bulk_create(
            Subscription(event_type=event_type.wire_name, handler=handler.name, queue=handler.queue)
            for event_type in event_types
        )
        return handler

    yield subscribed
    for name in names:
        del handlers[name]
        current_app.tasks.pop(name, None)


@pytest.fixture(autouse=True, scope="session")
def _append_only_tables_can_be_flushed() -> Iterator[None]:
    """Disable the triggers of append-only tables while the database of a test is flushed.

    The project itself has no way to disable them.
    """
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def flush_without_triggers(self: Any, statements: Iterable[str]) -> None:
        disable, enable = _trigger_statements()
        flush(self, [*disable, *statements, *enable])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", flush_without_triggers)
        yield


def _trigger_statements() -> tuple[list[str], list[str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
                "WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace"
            )
            tables = [row[0] for row in cursor.fetchall()]
            return (
                [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables],
                [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables],
            )
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        return [f"DROP TRIGGER {name}" for name, _ in triggers], [sql for _, sql in triggers]


@pytest.fixture
def rabbit(tmp_path: Path) -> Iterator[RabbitMQ]:
    """A virtual host for this test. Name it before `system`, whose processes then end before it."""
    need_rabbitmq()
    broker = RabbitMQ(tmp_path)
    yield broker
    broker.close()


@pytest.fixture
def system(transactional_db: None) -> Iterator[System]:
    """Real processes on the database of the test."""
    # pytest's directories are too long for the path of a unix socket.
    with tempfile.TemporaryDirectory(prefix="orderly-") as directory, running(Path(directory)) as started:
        yield started
        wait_for_coverage()
