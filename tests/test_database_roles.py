"""The roles in docs/deployment.md, made by its own SQL on a real PostgreSQL, are enough for all processes."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from tests.system import ROOT, System, eventually

SQL = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text(), re.DOTALL)
PASSWORD = "a password of both roles"
PLACE_ORDER = """
from orders import operations as orders
from project.events import Line
from users import operations as users
user = users.register_user(email="ann@example.org", password="correct horse battery", name="Ann")
orders.place_order(customer_id=user.pk, lines=[Line(sku="CUP", quantity=2)])
"""
#: The tables that `orderly` can only add to.
APPEND_ONLY = ("audit_change", "bus_auditentry", "inventory_movement")


class Roles:
    """A database with the two roles, whose names are unique to this test."""

    def __init__(self) -> None:
        self.name = f"orderly_{uuid4().hex[:12]}"
        settings = connection.settings_dict
        self.host = settings["OPTIONS"].get("host") or settings["HOST"] or "127.0.0.1"
        self.port = settings["PORT"] or 5432
        self.superuser = {"user": settings["USER"], "password": settings["PASSWORD"]}

    def renamed(self, sql: str) -> str:
        return re.sub(r"\borderly(?=_owner\b|\b)", self.name, sql).replace("'...'", f"'{PASSWORD}'")

    def connect(self, database: str = "", **options: Any) -> "psycopg.Connection[Any]":
        options = options or self.superuser
        dbname = database or self.name
        return psycopg.connect(dbname=dbname, host=self.host, port=self.port, autocommit=True, **options)

    def url(self, role: str) -> str:
        query = f"?host={self.host}" if self.host.startswith("/") else ""
        server = "" if query else f"{self.host}:{self.port}"
        return f"postgres://{self.renamed(role)}:{PASSWORD.replace(' ', '%20')}@{server}/{self.name}{query}"

    def variables(self, role: str) -> dict[str, str]:
        given = {"HOST": self.host, "PORT": self.port, "DATABASE": self.name, "USER": self.renamed(role)}
        return {**{f"PG{name}": str(value) for name, value in given.items()}, "PGPASSWORD": PASSWORD}

    def run(self, sql: str, *, database: str = "") -> None:
        with self.connect(database) as session:
            session.execute(self.renamed(sql))

    def drop(self) -> None:
        with self.connect("postgres") as session:
            session.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            session.execute(f"DROP ROLE IF EXISTS {self.name}, {self.name}_owner")


@pytest.fixture
def roles(django_db_setup, django_db_blocker) -> Iterator[Roles]:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no roles")
    roles = Roles()
    try:
        for statement in SQL[0].split("\\connect orderly")[0].split(";\n"):
            if statement.strip():
                roles.run(statement, database="postgres")
        roles.run(SQL[0].split("\\connect orderly")[1])
        yield roles
    finally:
        roles.drop()


def test_the_documented_roles_are_enough_to_migrate_to_work_and_to_back_up(roles, tmp_path):
    owner = System(tmp_path, database=roles.url("orderly_owner"))
    assert owner.manage("migrate").returncode == 0
    roles.run(SQL[1])
    system = System(tmp_path, database=roles.url("orderly"))
    try:
        work(system, roles, tmp_path)
    finally:
        system.clients.close()
        system.kill_all()
    if int(re.findall(r"\d+", subprocess.check_output(["pg_dump", "--version"], text=True))[0]) >= version(roles):
        back_up_and_restore(roles, tmp_path)  # an older pg_dump refuses a newer server


def version(roles: Roles) -> int:
    with roles.connect() as session:
        return session.info.server_version // 10_000


def work(system: System, roles: Roles, directory: Path) -> None:
    file = directory / "stock.csv"
    file.write_text("sku,location,quantity,name,price,currency\nCUP,north,5,Cup,3.50,EUR\n")
    roles.run("INSERT INTO inventory_location (code, name, priority, active) VALUES ('north', 'North', 0, true)")
    imported = system.manage("import_stock", str(file))
    assert imported.returncode == 0, imported.stderr
    system.redis()
    system.relay()
    system.worker("users,orders,inventory,external")
    placed = system.manage("shell", "-c", PLACE_ORDER)
    assert placed.returncode == 0, placed.stderr
    with roles.connect() as session:
        confirmed = "SELECT count(*) FROM orders_order WHERE status = 'confirmed'"
        eventually(lambda: session.execute(confirmed).fetchone() == (1,), within=30, what="the order is confirmed")
    for command in (["verify_stock"], ["bus", "prune", "--keep", "30d", "--yes"], ["bus", "status"]):
        done = system.manage(*command)
        assert done.returncode == 0, done.stderr
    with roles.connect(user=roles.name, password=PASSWORD) as session:
        for table in APPEND_ONLY:
            for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE mine (id int)")
        session.execute("SELECT lo_from_bytea(0, 'x')")


def back_up_and_restore(roles: Roles, directory: Path) -> None:
    """Run the commands of docs/operations.md, with a large object of the other role in the database."""
    page = (ROOT / "docs" / "operations.md").read_text()
    commands = [re.findall(rf"{name}.*?(?=\n|`)", page)[0] for name in ("pg_dump --", "pg_restore --")]
    for command in (commands[0], commands[1].replace("--dbname=orderly", f"--dbname={roles.name}")):
        done = subprocess.run(
            command.split(),
            cwd=directory,
            env=roles.variables("orderly_owner"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        roles.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public; " + SQL[0].split("\\connect orderly")[1])
