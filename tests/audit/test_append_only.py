"""Neither audit can be edited, by any client of the database; both are read in the admin."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from project.audit.models import Change
from project.bus.models import AuditEntry
from tests.api.clients import member_of, new_user
from users.models import User

pytestmark = pytest.mark.django_db
TABLES: dict[str, Any] = {"audit_change": Change, "bus_auditentry": AuditEntry}


@pytest.fixture
def clerk() -> User:
    clerk = new_user(email="clerk@example.org", is_staff=True)
    sku = {"price": ["9.90", "0.01"], "active": [True, False], "groups": [[], ["auditor"]], "password": "changed"}
    Change.objects.create(
        actor=str(clerk.pk), action="change", object_type="inventory.product", object_id="MUG", fields=sku
    )
    Change.objects.create(
        actor="ann", action="add", object_type="auth.group", object_id="x", fields={"name": ["", "x"]}
    )
    for actor in (str(clerk.pk), "ann", "0" * 36):
        AuditEntry.objects.create(actor=actor, action="pause", request={"handlers": ["h"]}, outcome={})
    return clerk


STATEMENTS = {
    "UPDATE": "UPDATE {table} SET actor = 'nobody'",
    "UPDATE of the key": "UPDATE {table} SET id = id + 1000",
    "DELETE": "DELETE FROM {table}",
    "DELETE of one row": "DELETE FROM {table} WHERE id = (SELECT min(id) FROM {table})",
    "TRUNCATE": "TRUNCATE {table}",
    "TRUNCATE CASCADE": "TRUNCATE {table} CASCADE",
    "REPLACE": "REPLACE INTO {table} SELECT * FROM {table}",
    "UPSERT": ("INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT (id) DO UPDATE SET actor = 'nobody'"),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("kind", STATEMENTS, ids=[name.replace(" ", "_") for name in STATEMENTS])
def test_rows_cannot_be_changed_deleted_or_replaced(clerk, table, kind):
    if kind.startswith("TRUNCATE") and connection.vendor == "sqlite":
        kind = "DELETE"  # SQLite has no other
    if kind == "REPLACE" and connection.vendor == "postgresql":
        kind = "UPSERT"  # PostgreSQL has no other
    before = list(TABLES[table].objects.order_by("pk").values())
    with (
        pytest.raises(DatabaseError, match=f"{table} is append-only and refuses"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(STATEMENTS[kind].format(table=table))
    assert list(TABLES[table].objects.order_by("pk").values()) == before


@pytest.mark.parametrize("page", ["audit/change", "bus/auditentry"])
def test_auditors_read_who_did_what(clerk, page):
    client = Client()
    client.force_login(member_of("auditor"))
    actor = f'<a class="text-link" href="/admin/users/user/{clerk.pk}/change/">clerk@example.org</a>'
    shown = client.get(f"/admin/{page}/").content.decode()
    assert actor in shown
    assert "ann" in shown
    row = TABLES[page.replace("/", "_")].objects.get(actor=str(clerk.pk))
    detail = client.get(f"/admin/{page}/{row.pk}/change/").content.decode()
    assert actor in detail
    assert client.get(f"/admin/{page}/0/change/").status_code == 302
    if page == "audit/change":
        for text in ("price: 9.90 → 0.01", "active: True → False", "groups: - → auditor", "password: changed"):
            assert text in detail
        assert '/admin/inventory/product/?q=MUG"' in detail


def test_the_list_of_changes_takes_the_same_statements_for_any_length(clerk, django_assert_max_num_queries):
    client = Client()
    client.force_login(member_of("auditor"))
    with django_assert_max_num_queries(12) as few:
        client.get("/admin/audit/change/")
    for number in range(20):
        person = new_user(is_staff=True) if number % 2 else clerk
        Change.objects.create(actor=str(person.pk), action="add", object_type="x", object_id="x", fields={})
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get("/admin/audit/change/")


def test_changes_are_found_by_who_made_them_and_by_what_they_changed(clerk):
    client = Client()
    client.force_login(member_of("auditor"))
    page = client.get("/admin/audit/change/", {"q": str(clerk.pk)})
    rows = page.context["cl"].result_list
    assert {row.object_id for row in rows if row.actor != str(clerk.pk)} == {str(clerk.pk)}
    assert [row.actor for row in rows].count(str(clerk.pk)) == 1
