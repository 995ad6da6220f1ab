"""A worker's sessions: no lock and no statement lasts for ever."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from project.bus.sessions import prepare_sessions

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such time-outs"),
]


@pytest.fixture
def session() -> Iterator[BaseDatabaseWrapper]:
    """A new connection as a worker makes it."""
    prepare_sessions()
    made = connections["default"].copy()
    try:
        made.ensure_connection()
        yield made
    finally:
        made.close()
        connection_created.disconnect(dispatch_uid="project.bus.sessions")


def shown(session: BaseDatabaseWrapper, name: str) -> tuple[str]:
    with session.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()


def sooner(session: BaseDatabaseWrapper, *names: str) -> None:
    """Make time-outs a hundred times as short, so that nobody waits for them; one that is off stays off."""
    with session.cursor() as cursor:
        for name in names:
            cursor.execute(
                "SELECT set_config(name, (setting::int / 100)::text, false) FROM pg_settings WHERE name = %s", [name]
            )


def test_in_no_process_may_a_transaction_idle_for_long():
    made = connections["default"].copy()
    try:
        assert shown(made, "idle_in_transaction_session_timeout") == ("30s",)
    finally:
        made.close()


def test_in_a_worker_a_transaction_may_idle_for_a_moment_only(session):
    assert shown(session, "idle_in_transaction_session_timeout") == ("5s",)


def test_who_waits_for_a_lock_gives_up_within_ten_seconds(session):
    assert shown(session, "lock_timeout") == ("10s",)
    sooner(session, "lock_timeout")
    with connection.cursor() as other, session.cursor() as waiting:
        other.execute("SELECT pg_advisory_lock(42)")
        waiting.execute("SET statement_timeout = '2s'")  # so that the test ends also without the time-out
        with pytest.raises(OperationalError, match="lock timeout"):
            waiting.execute("SELECT pg_advisory_lock(42)")
        other.execute("SELECT pg_advisory_unlock(42)")


def test_a_statement_ends_within_thirty_seconds(session):
    assert shown(session, "statement_timeout") == ("30s",)
    sooner(session, "statement_timeout")
    with session.cursor() as cursor, pytest.raises(OperationalError, match="statement timeout"):
        cursor.execute("SELECT pg_sleep(2)")
