"""project.sql, the kit for set-wise statements: the same calls on both databases."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from project import sql
from project.bus.backends import backend_of
from project.bus.models import RefusedMessage, Subscription
from tests.threads import at_once

pytestmark = pytest.mark.django_db


def test_rows_are_one_parameter_and_keep_their_values():
    rows = [{"number": number, "id": uuid4(), "text": "ü'%\n"} for number in range(3)]
    sent = sql.Rows({"number": "int", "id": "uuid", "text": "text"}, rows)
    assert sent.columns == (("number", "int"), ("id", "uuid"), ("text", "text"))
    back = sql.execute_together("SELECT number, id, text FROM line ORDER BY number", line=sent)
    assert [{"number": number, "id": sql.to_uuid(id_), "text": text} for number, id_, text in back] == rows


def test_no_rows_are_an_empty_table():
    assert sql.execute_together("SELECT sku FROM line", line=sql.Rows({"sku": "text"}, [])) == []


def test_execute_takes_parameters_and_literal_percent_signs():
    assert sql.execute("SELECT 100 %% 30, '%%', %s", "ü") == [(10, "%", "ü")]
    assert sql.execute("DELETE FROM bus_subscription WHERE handler = %s", "no.such") == []


def test_statements_together_all_run_and_the_last_one_returns_its_rows():
    lines = sql.Rows({"queue": "text", "number": "int"}, [{"queue": "a", "number": 2}, {"queue": "b", "number": 3}])
    reasons = sql.Rows({"reason": "text"}, [{"reason": "too long"}])
    returned = sql.execute_together(
        "INSERT INTO bus_refusedmessage (queue, reason, count, sample) "
        "SELECT queue, reason, number, '' FROM line CROSS JOIN reason",
        "SELECT count(*), sum(number) FROM line",
        line=lines,
        reason=reasons,
    )
    assert [(int(count), int(total)) for count, total in returned] == [(2, 5)]
    assert set(RefusedMessage.objects.values_list("queue", "reason", "count")) == {
        ("a", "too long", 2),
        ("b", "too long", 3),
    }


@pytest.mark.parametrize(
    ("type_", "values"), [("int", [0, 2]), ("text", ["0", "2"]), ("int", []), ("uuid", [uuid4(), uuid4()])]
)
def test_a_value_is_among_a_list(type_, values):
    others: dict[str, list[Any]] = {"int": [5], "text": ["5"], "uuid": []}
    rows = sql.Rows({"value": type_}, [{"value": value} for value in [*values, *others[type_]]])
    entries = backend_of("default").recordset(rows.columns, name="entry")
    found = sql.execute(
        f"SELECT value FROM {entries} WHERE {sql.is_among('value', type_)}",
        rows.json,
        sql.as_list(values),
    )
    as_value = sql.to_uuid if type_ == "uuid" else lambda value: value
    assert sorted(as_value(value) for (value,) in found) == sorted(values)


def test_a_row_is_found_again_at_its_place():
    Subscription.objects.create(event_type="a", handler="x.y", queue="q")
    column, table = sql.place_column("bus_subscription"), "bus_subscription"
    ((id_, place),) = sql.execute(f"SELECT id, {column} FROM {table} WHERE handler = %s {sql.for_update()}", "x.y")
    places = sql.Rows({"at": sql.place_type()}, [{"at": place}])
    text = f"UPDATE {table} SET queue = 'moved' WHERE {sql.is_at(table, 'SELECT at FROM place')} RETURNING id"
    assert sql.execute_together(text, place=places) == [(id_,)]
    assert Subscription.objects.get(pk=id_).queue == "moved"


def test_for_update_locks_only_where_the_database_has_row_locks():
    expected = ("FOR UPDATE", "FOR UPDATE OF line") if connection.vendor == "postgresql" else ("", "")
    assert (sql.for_update(), sql.for_update("line")) == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_for_update_makes_a_second_transaction_wait():
    Subscription.objects.create(event_type="a", handler="x.y", queue="0")

    def add_one() -> None:
        with transaction.atomic():
            ((queue,),) = sql.execute(f"SELECT queue FROM bus_subscription WHERE handler = 'x.y' {sql.for_update()}")
            Subscription.objects.filter(handler="x.y").update(queue=str(int(queue) + 1))

    at_once(*[add_one] * 4)
    assert Subscription.objects.get(handler="x.y").queue == "4"


@pytest.mark.parametrize("value", [Decimal("1.10"), 1.1, "1.1", "1.10"])
def test_a_number_becomes_an_exact_decimal(value):
    assert sql.to_decimal(value) == Decimal("1.10")
    assert str(sql.to_decimal(value)) == "1.10"
    assert str(sql.to_decimal(value, places=4)) == "1.1000"


def test_a_stored_decimal_comes_back_exact():
    rows = sql.Rows({"price": "numeric"}, [{"price": Decimal("19.99")}])
    ((price,),) = sql.execute_together("SELECT price FROM line", line=rows)
    assert sql.to_decimal(price) == Decimal("19.99")


def test_now_is_a_time_as_django_stores_it():
    sql.execute(f"UPDATE bus_subscription SET open_until = {sql.now()}")
    assert all(row.open_until and row.open_until.tzinfo for row in Subscription.objects.all())
