"""PostgreSQL: one way only to the deliveries that are due, as the planner cannot know which is the best (ADR 14).

Most of the time nothing is owed, so vacuum notes that the table is empty. To the planner one index is then as good as
any other, and reading the whole table as good as an index if vacuum gave its pages back; a plan made at such a time is
kept, and takes 20 ms and more once deliveries come in masses, until autovacuum comes by.

So the table is given some pages and keeps what it has, and the index that sees to "one delivery for an event and a
handler" compares handlers in another collation: it is not considered where a handler's deliveries are looked for.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def leave_one(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bus_delivery SET (vacuum_truncate = off)")
        # With ids that no delivery has. Beside these forty pages, places are the cheaper way from the first plan on.
        schema_editor.execute(
            "INSERT INTO bus_delivery (id, event_id, handler, due_at, attempts) "
            "SELECT -n, gen_random_uuid(), 'nobody', now(), 0 FROM generate_series(1, 4000) AS n"
        )
        schema_editor.execute("DELETE FROM bus_delivery WHERE id < 0")
        schema_editor.execute("ALTER TABLE bus_delivery DROP CONSTRAINT delivery_once")
        schema_editor.execute('CREATE UNIQUE INDEX delivery_once ON bus_delivery (event_id, handler COLLATE "C")')


def leave_several(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX delivery_once")
        schema_editor.execute("ALTER TABLE bus_delivery ADD CONSTRAINT delivery_once UNIQUE (event_id, handler)")
        schema_editor.execute("ALTER TABLE bus_delivery RESET (vacuum_truncate)")


class Migration(migrations.Migration):
    dependencies = [("bus", "0003_operations")]
    operations = [migrations.RunPython(leave_one, leave_several)]
