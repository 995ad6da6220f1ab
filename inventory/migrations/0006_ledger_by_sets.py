"""PostgreSQL: ledger and reservations refer to stock rows without a foreign key, and stock rows with a past stay.

A foreign key looks its stock row up anew for each row of the ledger and for each reservation, and passes all versions
that an old snapshot keeps of it each time: two thirds of what became slow while a report was open (docs/adr/0015). What
it saw to is seen to by what changes less often: stock rows that have movements are neither removed nor renumbered.
SQLite keeps its foreign keys: it has no old versions, and would have to remake a table that has triggers.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState, StateApps

REMEDY = "set its figures to zero by operations, which tell the ledger"
CREATE = (
    f"""
    CREATE FUNCTION inventory_stock_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT FROM inventory_movement) THEN
                RETURN NULL;
            END IF;
        ELSIF NOT EXISTS (SELECT FROM inventory_movement WHERE stock_id = OLD.id) THEN
            RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
        END IF;
        RAISE EXCEPTION 'inventory_stock refuses % of what has movements: {REMEDY}', TG_OP
            USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER inventory_stock_stays BEFORE DELETE OR UPDATE OF id ON inventory_stock
    FOR EACH ROW EXECUTE FUNCTION inventory_stock_refuse()
    """,
    """
    CREATE TRIGGER inventory_stock_no_truncate BEFORE TRUNCATE ON inventory_stock
    FOR EACH STATEMENT EXECUTE FUNCTION inventory_stock_refuse()
    """,
)
DROP = (
    "DROP TRIGGER inventory_stock_no_truncate ON inventory_stock",
    "DROP TRIGGER inventory_stock_stays ON inventory_stock",
    "DROP FUNCTION inventory_stock_refuse()",
)


def create_triggers(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    run(CREATE, schema_editor)


def drop_triggers(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    run(DROP, schema_editor)


def run(statements: tuple[str, ...], schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for statement in statements:
            schema_editor.execute(statement, params=None)


class AlterFieldOnPostgresql(migrations.AlterField):
    """Of other databases only Django's state changes."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def reference(related_name: str) -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="inventory.stock",
    )


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_stock_room")]
    operations = [
        migrations.RunPython(create_triggers, drop_triggers),
        AlterFieldOnPostgresql("movement", "stock", reference("movements")),
        AlterFieldOnPostgresql("reservation", "stock", reference("reservations")),
    ]
