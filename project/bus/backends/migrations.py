"""Operations for migrations whose work differs between the databases."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class _RunOn(Operation):
    """Run statements on one kind of database only."""

    vendor: ClassVar[str]
    reduces_to_sql = True

    def __init__(self, forwards: Sequence[str], backwards: Sequence[str] | None = None) -> None:
        """Take the statements of both directions.

        Args:
            forwards: run as they are: percent signs need no escaping.
            backwards: an empty sequence if there is nothing to undo; without it, the migration cannot be reversed.
        """
        self.forwards = forwards
        self.backwards = backwards
        self.reversible = backwards is not None  # type: ignore[misc]  # as Django's RunSQL does by a property

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the models as they are."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._run(app_label, schema_editor, self.forwards)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._run(app_label, schema_editor, self.backwards or ())

    def describe(self) -> str:
        return f"Run statements on {self.vendor}"

    def _run(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str]) -> None:
        connection = schema_editor.connection
        if connection.vendor == self.vendor and router.allow_migrate(connection.alias, app_label):
            for statement in statements:
                schema_editor.execute(statement, params=None)


class RunPostgreSQL(_RunOn):
    """Run statements on PostgreSQL, and nothing on other databases.

    Example::

        operations = [
            RunPostgreSQL(
                ["ALTER TABLE shop_cart SET (fillfactor = 50)"],
                ["ALTER TABLE shop_cart RESET (fillfactor)"],
            )
        ]
    """

    vendor = "postgresql"


class RunSQLite(_RunOn):
    """Run statements on SQLite, and nothing on other databases."""

    vendor = "sqlite"


class ChangeInPlace(Operation):
    """Change a model, without a rewrite of its table on PostgreSQL.

    PostgreSQL runs the statements that are given. SQLite, which alters few things in place, remakes the table once for
    all the changes. A remake drops the table's triggers, and fails if a trigger of another table names it: drop those
    before, and create all of them afterwards.

    Example::

        ChangeInPlace(
            "cart",
            [migrations.AlterField("cart", "owner", ForeignKey(..., db_constraint=False))],
            ["ALTER TABLE shop_cart DROP CONSTRAINT ..."],
            ["ALTER TABLE shop_cart ADD CONSTRAINT ..."],
        )
    """

    def __init__(
        self,
        model_name: str,
        changes: Sequence[Operation],
        postgresql: Sequence[str] = (),
        postgresql_backwards: Sequence[str] = (),
    ) -> None:
        """Take the change as Django's operations, and the statements that make it on PostgreSQL."""
        self.model_name = model_name
        self.changes = changes
        self.postgresql = postgresql
        self.postgresql_backwards = postgresql_backwards

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        for change in self.changes:
            change.state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._change(app_label, schema_editor, self.postgresql, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._change(app_label, schema_editor, self.postgresql_backwards, to_state)

    def describe(self) -> str:
        return f"Change {self.model_name} in place"

    def _change(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str], state: Any
    ) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor == "sqlite":
            schema_editor._remake_table(model)  # type: ignore[attr-defined]  # noqa: SLF001 - as Django's operations do
            return
        for statement in statements:
            schema_editor.execute(statement, params=None)


class RenameConstraints(Operation):
    """Rename constraints of a model: check constraints, and unique ones over plain columns without a condition.

    Example::

        RenameConstraints("cart", {"cart_once": "shop_cart_once"})
    """

    def __init__(self, model_name: str, names: Mapping[str, str]) -> None:
        """Take the new name of each old one."""
        self.model_name = model_name
        self.names = names

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        model = state.models[app_label, self.model_name.lower()]
        renamed = [constraint.clone() for constraint in model.options["constraints"]]
        for constraint in renamed:
            constraint.name = self.names.get(constraint.name, constraint.name)
        model.options["constraints"] = renamed
        state.reload_model(app_label, self.model_name.lower(), delay=True)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._rename(app_label, schema_editor, self.names, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._rename(app_label, schema_editor, {new: old for old, new in self.names.items()}, to_state)

    def describe(self) -> str:
        return f"Rename constraints of {self.model_name}"

    def _rename(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, names: Mapping[str, str], state: Any
    ) -> None:
        table = state.apps.get_model(app_label, self.model_name)._meta.db_table
        quote = schema_editor.quote_name
        statements = [
            f"ALTER TABLE {quote(table)} RENAME CONSTRAINT {quote(old)} TO {quote(new)}" for old, new in names.items()
        ]
        ChangeInPlace(self.model_name, ())._change(app_label, schema_editor, statements, state)  # noqa: SLF001 - ours
