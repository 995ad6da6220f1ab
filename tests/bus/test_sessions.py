"""The database sessions of a worker: every lock wait, statement and idle transaction has a time-out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import current_app
from celery.signals import task_prerun
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from project.bus import publish
from project.bus.backends.postgresql import SESSION_LIMITS
from project.bus.worker import sessions
from project.bus.worker.consumer import answer_bell
from project.bus.worker.sessions import limit_sessions, limited
from tests.bus.events import Pinged

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such time-outs"),
]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be a worker; its session with time-outs is closed afterwards."""
    monkeypatch.setattr(sessions, "_in_worker", False)
    monkeypatch.setattr(sessions._limits, "session", None)
    limit_sessions()
    yield
    connection.close()


@pytest.fixture
def session(worker: None) -> Iterator[BaseDatabaseWrapper]:
    """A new connection as a worker makes it for a bell."""
    connection.close()
    with limited():
        connection.ensure_connection()
    yield connections["default"]
    connection.close()


def shown(session: BaseDatabaseWrapper, name: str) -> tuple[str]:
    with session.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()


def shorten(session: BaseDatabaseWrapper, *names: str) -> None:
    """Make time-outs a hundred times shorter, so that no test waits for them. One that is off stays off."""
    with session.cursor() as cursor:
        for name in names:
            cursor.execute(
                "SELECT set_config(name, (setting::int / 100)::text, false) FROM pg_settings WHERE name = %s", [name]
            )


def test_a_transaction_may_idle_for_thirty_seconds_in_any_process():
    made = connections["default"].copy()
    try:
        assert shown(made, "idle_in_transaction_session_timeout") == ("30s",)
    finally:
        made.close()


def test_a_transaction_may_idle_for_five_seconds_in_a_worker(session):
    assert shown(session, "idle_in_transaction_session_timeout") == ("5s",)


def test_a_wait_for_a_lock_ends_within_ten_seconds(session):
    assert shown(session, "lock_timeout") == ("10s",)
    shorten(session, "lock_timeout")
    holder = session.copy()
    with holder.cursor() as other, session.cursor() as waiting:
        other.execute("SELECT pg_advisory_lock(42)")
        waiting.execute("SET statement_timeout = '2s'")  # so that the test also ends without the time-out
        with pytest.raises(OperationalError, match="lock timeout"):
            waiting.execute("SELECT pg_advisory_lock(42)")
        other.execute("SELECT pg_advisory_unlock(42)")
    holder.close()


def test_a_statement_ends_within_thirty_seconds(session):
    assert shown(session, "statement_timeout") == ("30s",)
    shorten(session, "statement_timeout")
    with session.cursor() as cursor, pytest.raises(OperationalError, match="statement timeout"):
        cursor.execute("SELECT pg_sleep(2)")


class TheirTask:
    name = "shop.task_of_their_own"


def limits() -> dict[str, str]:
    return {name: shown(connection, name)[0] for name in SESSION_LIMITS}


@pytest.mark.usefixtures("worker")
def test_a_task_that_is_no_bell_finds_its_session_as_it_left_it(subscribed):
    seen = []

    def look(event):
        seen.append(limits())

    handler = subscribed(look, Pinged)
    before = {**limits(), "lock_timeout": "7s"}
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'")
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    assert seen == [SESSION_LIMITS]
    task_prerun.send(sender=current_app.tasks[handler.name])
    assert limits() == SESSION_LIMITS, "they stay from bell to bell"
    task_prerun.send(sender=TheirTask)
    assert limits() == before
    with transaction.atomic():
        publish(Pinged(number=2))
    answer_bell(handler)
    assert seen == [SESSION_LIMITS] * 2, "the next bell has them again"
    connection.close()


@pytest.mark.usefixtures("worker")
def test_a_session_opened_by_a_task_that_is_no_bell_has_no_limits():
    before = limits()
    connection.close()
    assert limits() == before


def test_outside_a_worker_a_bell_changes_no_settings(subscribed, monkeypatch):
    monkeypatch.setattr(sessions, "_in_worker", False)
    seen, before = [], limits()

    def look(event):
        seen.append(limits())

    handler = subscribed(look, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    assert seen == [before]


@pytest.mark.usefixtures("worker")
def test_a_task_that_a_handler_runs_within_its_bell_keeps_the_limits(subscribed):
    seen = []

    def look(event):
        before = limits()
        task_prerun.send(sender=TheirTask)
        seen.append((before, limits()))

    handler = subscribed(look, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    ((before, after),) = seen
    assert before == after
    assert after["lock_timeout"] == "10s"


@pytest.mark.usefixtures("worker")
def test_a_task_after_a_lost_session_gets_a_new_one():
    with limited():
        connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()
    task_prerun.send(sender=TheirTask)
    assert limits()["lock_timeout"] == "0"


@pytest.mark.usefixtures("worker")
def test_each_thread_has_limits_of_its_own():
    with limited():
        connection.ensure_connection()
    ours = sessions._limits.session
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: sessions._limits.session).result() is None
    assert sessions._limits.session is ours


@pytest.mark.usefixtures("worker")
def test_a_session_that_replaced_the_limited_one_is_left_as_it_is():
    with limited():
        connection.ensure_connection()
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'")
    task_prerun.send(sender=TheirTask)
    assert limits()["lock_timeout"] == "7s"
