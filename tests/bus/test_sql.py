"""Statements of our own: prepared ones outlive what happens to their session and to their tables."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction

from project.bus import sessions
from project.bus.consumer import answer_bell
from project.bus.models import Receipt
from project.bus.outbox import publish
from project.bus.sql import among, as_json, listed, recordset, run, time_of, uuid_of
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
        run(scratch)
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE scratch ALTER name TYPE text")
    assert run(scratch) == [("tea",)]


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_session_that_is_lost_between_two_bells_costs_a_worker_nothing(subscribed, other):
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
def test_what_a_statement_raises_is_djangos(other):
    run("SELECT 1")
    connection.health_check_done = True
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    with pytest.raises(OperationalError):
        run("SELECT 1")
    connection.close()


@pytest.mark.django_db
def test_rows_go_out_as_one_parameter_and_come_back_as_they_were():
    rows = [{"number": number, "id": uuid4(), "text": "ü'%"} for number in range(3)]
    back = run(f"SELECT number, id, text FROM {recordset(number='int', id='uuid', text='text')}", as_json(rows))
    assert [{"number": number, "id": uuid_of(id_), "text": text} for number, id_, text in back] == rows
    numbers = run(
        f"SELECT number FROM {recordset(number='int')} WHERE {among('number', 'int')}", as_json(rows), listed([0, 2])
    )
    assert sorted(numbers) == [(0,), (2,)]


def test_a_time_has_its_zone_whichever_way_it_came():
    noon = datetime(2026, 11, 24, 12, 0, 0, 123457, tzinfo=UTC)
    assert time_of(noon.replace(tzinfo=None)) == time_of(noon) == time_of(noon.timestamp()) == noon
