"""Triggers that refuse to change, delete or truncate movements, whoever asks.

On SQLite most alterations of a table make a new table and drop the old one, triggers included: a later migration that
alters Movement must end with the operation of this one.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

REMEDY = "write a further movement that corrects it"

CREATE = {
    "postgresql": (
        f"""
        CREATE FUNCTION inventory_movement_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'inventory_movement is append-only and refuses %: {REMEDY}', TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$
        """,
        """
        CREATE TRIGGER inventory_movement_append_only BEFORE UPDATE OR DELETE ON inventory_movement
        FOR EACH ROW EXECUTE FUNCTION inventory_movement_refuse()
        """,
        """
        CREATE TRIGGER inventory_movement_no_truncate BEFORE TRUNCATE ON inventory_movement
        FOR EACH STATEMENT EXECUTE FUNCTION inventory_movement_refuse()
        """,
    ),
    "sqlite": (
        f"""
        CREATE TRIGGER inventory_movement_no_update BEFORE UPDATE ON inventory_movement
        BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses UPDATE: {REMEDY}'); END
        """,
        # It also refuses what stands for TRUNCATE here, a DELETE of all rows.
        f"""
        CREATE TRIGGER inventory_movement_no_delete BEFORE DELETE ON inventory_movement
        BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses DELETE: {REMEDY}'); END
        """,
        # REPLACE deletes the row it replaces without calling the trigger above.
        f"""
        CREATE TRIGGER inventory_movement_no_replace BEFORE INSERT ON inventory_movement
        WHEN EXISTS (SELECT 1 FROM inventory_movement WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'inventory_movement is append-only and refuses REPLACE: {REMEDY}'); END
        """,
    ),
}
DROP = {
    "postgresql": (
        "DROP TRIGGER inventory_movement_no_truncate ON inventory_movement",
        "DROP TRIGGER inventory_movement_append_only ON inventory_movement",
        "DROP FUNCTION inventory_movement_refuse()",
    ),
    "sqlite": (
        "DROP TRIGGER inventory_movement_no_replace",
        "DROP TRIGGER inventory_movement_no_delete",
        "DROP TRIGGER inventory_movement_no_update",
    ),
}


def create_triggers(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop_triggers(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in DROP[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = (("inventory", "0001_initial"),)
    operations = (migrations.RunPython(create_triggers, drop_triggers),)
