"""PostgreSQL: ledger and reservations refer to stock rows without a foreign key, and stock rows with a past stay.

A foreign key looks up its stock row for each row of the ledger and for each reservation, and each time passes all
versions of it that an old snapshot keeps: two thirds of the slowdown while a report was open (docs/adr/0015). Triggers
on the stock rows, which change less often, give the same promise: rows that have movements are neither deleted nor
renumbered.
"""

from django.db import migrations

from project.bus.backends.migrations import RunPostgreSQL

from . import _triggers

#: The first lock is that of the allocations, which workers of the release before lock first too, so nobody waits in a
#: circle. All of them wait while this waits, so it gives up soon: it fails while a back-up reads the tables. Repeat it.
LOCK = (
    "SET LOCAL lock_timeout = '1s'",
    "LOCK TABLE inventory_allocation IN SHARE MODE",
    "LOCK TABLE inventory_stock, inventory_movement, inventory_reservation IN ACCESS EXCLUSIVE MODE",
)
#: Django makes their names of tables and columns, so they are the same everywhere.
FOREIGN_KEYS = {
    "inventory_movement": "inventory_movement_stock_id_532ecff6_fk_inventory_stock_id",
    "inventory_reservation": "inventory_reservation_stock_id_46de6908_fk_inventory_stock_id",
}


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_stock_room")]
    operations = [
        RunPostgreSQL(
            [
                *LOCK,
                *_triggers.STOCK_POSTGRESQL,
                # A check that is still deferred would keep the table from being altered.
                "SET CONSTRAINTS ALL IMMEDIATE",
                *(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name in FOREIGN_KEYS.items()),
            ],
            [
                *LOCK,
                *_triggers.DROP_STOCK_POSTGRESQL,
                *(
                    f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (stock_id) REFERENCES inventory_stock (id) "
                    "DEFERRABLE INITIALLY DEFERRED"
                    for table, name in FOREIGN_KEYS.items()
                ),
            ],
        )
    ]
