"""The statement runner: prepared statements survive lost sessions and changed tables."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import NotSupportedError, OperationalError, connection, transaction

from project.bus import publish
from project.bus.models import Receipt
from project.bus.worker import sessions
from project.bus.worker.consumer import answer_bell
from project.sql import Rows, execute, execute_together, to_time, to_uuid
from tests.bus.events import Pinged

postgresql_only = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite prepares nothing ahead")


@pytest.fixture
def other():
    """Another session of the same database."""
    other = connection.copy()
    yield other
    other.close()


@pytest.fixture
def scratch(other):
    with other.cursor() as cursor:
        cursor.execute("CREATE TABLE scratch (name varchar(10))")
        cursor.execute("INSERT INTO scratch VALUES ('tea')")
    yield "SELECT name FROM scratch"
    with other.cursor() as cursor:
        cursor.execute("DROP TABLE scratch")


def note(event):
    """Has no effect."""


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_statement_prepared_before_a_migration_works_after_it(scratch, other):
    for _ in range(10):
        execute(scratch)
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE scratch ALTER name TYPE text")
    assert execute(scratch) == [("tea",)]


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_migration_beside_an_open_transaction_fails_that_one_alone(scratch, other):
    for _ in range(10):
        execute(scratch)
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE scratch ALTER name TYPE text")
    with pytest.raises(NotSupportedError), transaction.atomic():
        execute(scratch)
    with transaction.atomic():
        assert execute(scratch) == [("tea",)]


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_session_lost_between_two_bells_is_replaced_without_a_failure(subscribed, other):
    handler = subscribed(note, Pinged)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    with transaction.atomic():
        publish(Pinged(number=2))
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    answer_bell(handler)
    assert Receipt.objects.count() == 2
    assert sessions._cautious_until == 0.0


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_failed_statement_raises_djangos_exception(other):
    execute("SELECT 1")
    connection.health_check_done = True  # type: ignore[attr-defined]  # stubs lack it
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    with pytest.raises(OperationalError):
        execute("SELECT 1")
    connection.close()


@pytest.mark.django_db
def test_rows_go_out_as_one_parameter_and_come_back_as_they_were():
    rows = [{"number": number, "id": uuid4(), "text": "ü'%"} for number in range(3)]
    numbers = Rows({"number": "int", "id": "uuid", "text": "text"}, rows)
    back = execute_together("SELECT number, id, text FROM entry", entry=numbers)
    assert [{"number": number, "id": to_uuid(id_), "text": text} for number, id_, text in back] == rows


def test_a_time_has_its_zone_whichever_way_it_came():
    noon = datetime(2026, 11, 24, 12, 0, 0, 123457, tzinfo=UTC)
    assert to_time(noon.replace(tzinfo=None)) == to_time(noon) == to_time(noon.timestamp()) == noon
