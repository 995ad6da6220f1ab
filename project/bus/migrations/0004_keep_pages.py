"""PostgreSQL: vacuum leaves an empty table of deliveries its pages.

Most of the time nothing is owed. Vacuum would then give the table's pages back, and whoever plans a statement while it
has none, such as a relay that starts, reads it from end to end: that costs nothing then. But the plan is kept, and when
deliveries come in masses each look costs 20 ms and more, until autovacuum comes by. With pages that are empty, an index
is always the cheaper way.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def keep_pages(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bus_delivery SET (vacuum_truncate = off)")


def give_pages_back(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bus_delivery RESET (vacuum_truncate)")


class Migration(migrations.Migration):
    dependencies = [("bus", "0003_operations")]
    operations = [migrations.RunPython(keep_pages, give_pages_back)]
