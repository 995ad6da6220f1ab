"""Fixtures that all tests share."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from celery import current_app
from django.core.cache import cache
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from project.bus.consumer import answer_bell, subscribe
from project.bus.events import Event, event_type_named
from project.bus.marks import Mark
from project.bus.models import Event as EventRow
from project.bus.models import Subscription
from project.bus.registry import Handler, handlers
from project.bus.relay import due_handlers
from tests.faults.brokers import Rabbit
from tests.services import need_rabbitmq
from tests.system import System, running

#: The tests that share one cluster of processes, and those that share another.
CLUSTER = "tests/faults/test_kinds"


class OneClusterAlone(LoadScopeScheduling):
    """Shares out tests one by one, but those that share a cluster go to one process, and first.

    xdist_group marks would do, but those of pytest-xdist 3.8 do nothing under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How pytest-xdist shares the tests out."""
    return OneClusterAlone(config, log)


@pytest.fixture(autouse=True)
def _no_welcome_orders(settings: Any) -> None:
    """Whatever this checkout's `make run` chose: a test that wants welcome orders says so."""
    settings.WELCOME_SKU = ""


@pytest.fixture(autouse=True)
def _no_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs in this checkout, and whatever BROKER_URL says: a test that wants a broker starts one."""
    monkeypatch.setattr(current_app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")


@pytest.fixture(autouse=True)
def _nobody_has_tried_yet() -> None:
    """What earlier tests did counts against no address."""
    cache.clear()


@pytest.fixture(autouse=True)
def _every_scan_is_a_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: else what a test dates back might lie before the mark."""
    monkeypatch.setattr(Mark, "begin", lambda mark: 0.0)


@pytest.fixture
def published(db: None) -> Callable[..., list[Any]]:
    """What has been published, oldest first: all of it, or that of one event type."""

    def published(event_type: type[Event] | None = None) -> list[Any]:
        rows = EventRow.objects.order_by("id")
        if event_type is not None:
            rows = rows.filter(type=event_type.wire_name)
        return [
            event_type_named(row.type, version=row.version).decode(
                msgspec.json.encode(row.data),
                version=row.version,
                id=row.id,
                sequence=row.sequence,
                correlation_id=row.correlation_id,
                time=row.time,
            )
            for row in rows
        ]

    return published


@pytest.fixture
def drain(db: None) -> Callable[[], None]:
    """Handle all that is due in this process, as workers would, until nothing is."""

    def drain() -> None:
        for _ in range(1000):
            due = [d for d in due_handlers() if d.handler in handlers]
            if not due:
                return
            for d in due:
                answer_bell(handlers[d.handler])
        pytest.fail(f"still owed: {due}")

    return drain


@pytest.fixture
def subscribed(db: None) -> Iterator[Callable[..., Handler]]:
    """Subscribe a function of the test to event types, for the length of the test."""
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
def _ledgers_can_be_emptied_between_tests() -> Iterator[None]:
    """Lift the triggers that keep append-only tables from being emptied, while a test's database is flushed.

    Only here: nothing in the project can lift them.
    """
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def flush_without_triggers(self: Any, statements: list[str]) -> None:
        lift, restore = _trigger_statements()
        flush(self, [*lift, *statements, *restore])

    operations.execute_sql_flush = flush_without_triggers  # type: ignore[method-assign]
    yield
    operations.execute_sql_flush = flush  # type: ignore[method-assign]


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
def rabbit(tmp_path: Path) -> Iterator[Rabbit]:
    """A virtual host of one's own. A test names it before `system`, whose processes are then gone before it is."""
    need_rabbitmq()
    broker = Rabbit(tmp_path)
    yield broker
    broker.close()


@pytest.fixture
def system(transactional_db: None) -> Iterator[System]:
    """A system of real processes on the test's database."""
    # A unix socket's path is short, pytest's directories are not.
    with tempfile.TemporaryDirectory(prefix="orderly-") as directory, running(Path(directory)) as started:
        yield started
