"""PostgreSQL: vacuum by the number of dead rows, not by a share of the table.

Deliveries are deleted as fast as they are inserted, and receipts only grow. With the default of a fifth of the table,
vacuum runs too late to keep claims on deliveries cheap, and ever more rarely on the other tables.
"""

from django.db import migrations

from ..backends.migrations import RunPostgreSQL

GROWING = ("bus_event", "bus_receipt", "bus_failure")


class Migration(migrations.Migration):
    dependencies = [("bus", "0001_initial")]
    operations = [
        RunPostgreSQL(
            [
                "ALTER TABLE bus_delivery SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, "
                "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, "
                "autovacuum_analyze_threshold = 5000)",
                *(
                    f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_scale_factor = 0, "
                    "autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_scale_factor = 0.02)"
                    for table in GROWING
                ),
            ],
            [
                f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, "
                "autovacuum_vacuum_cost_delay, autovacuum_analyze_scale_factor, autovacuum_analyze_threshold, "
                "autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)"
                for table in ("bus_delivery", *GROWING)
            ],
        )
    ]
