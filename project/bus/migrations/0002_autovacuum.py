"""PostgreSQL: vacuum by the number of dead rows, not by a share of the table.

Deliveries are deleted as fast as they come and receipts only grow: by the default of a fifth of the table, the one
would be vacuumed too late for its claims to stay cheap, and the others ever more rarely.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def set_autovacuum(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "ALTER TABLE bus_delivery SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, "
            "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000)"
        )
        for table in ("bus_event", "bus_receipt", "bus_failure"):
            schema_editor.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_scale_factor = 0, "
                "autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_scale_factor = 0.02)"
            )


def reset_autovacuum(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table in ("bus_delivery", "bus_event", "bus_receipt", "bus_failure"):
            schema_editor.execute(
                f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, "
                "autovacuum_vacuum_cost_delay, autovacuum_analyze_scale_factor, autovacuum_analyze_threshold, "
                "autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)"
            )


class Migration(migrations.Migration):
    dependencies = [("bus", "0001_initial")]
    operations = [migrations.RunPython(set_autovacuum, reset_autovacuum)]
