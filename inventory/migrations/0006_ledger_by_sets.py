"""PostgreSQL: ledger and reservations refer to stock rows without a foreign key, and stock rows with a past stay.

A foreign key looks its stock row up anew for each row of the ledger and for each reservation, and passes all versions
that an old snapshot keeps of it each time: two thirds of what became slow while a report was open (docs/adr/0015). What
it saw to is seen to by what changes less often: stock rows that have movements are neither removed nor renumbered.
SQLite keeps its foreign keys, as it has no old versions; and so does Django's idea of the tables, on any database.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

REFERRING = ("Movement", "Reservation")
#: In an order in which nobody waits in a circle with workers of the release before, whose first is the allocations. Who
#: waits here holds all of them up, so not for long: while a back-up reads the tables, this fails, and is to be repeated.
LOCK = (
    "SET LOCAL lock_timeout = '1s'",
    "LOCK TABLE inventory_allocation IN SHARE MODE",
    "LOCK TABLE inventory_stock, inventory_movement, inventory_reservation IN ACCESS EXCLUSIVE MODE",
)
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


def do_without(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for statement in (*LOCK, *CREATE):
        schema_editor.execute(statement, params=None)
    for name in REFERRING:
        model = apps.get_model("inventory", name)
        for constraint in schema_editor._constraint_names(model, ["stock_id"], foreign_key=True):  # type: ignore[attr-defined]
            schema_editor.execute(schema_editor._delete_fk_sql(model, constraint))  # type: ignore[attr-defined]


def have_again(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for statement in (*LOCK, *DROP):
        schema_editor.execute(statement, params=None)
    for name in REFERRING:
        model = apps.get_model("inventory", name)
        field = model._meta.get_field("stock")
        suffix = "_fk_%(to_table)s_%(to_column)s"
        schema_editor.execute(schema_editor._create_fk_sql(model, field, suffix))  # type: ignore[attr-defined]


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_stock_room")]
    operations = [migrations.RunPython(do_without, have_again)]
