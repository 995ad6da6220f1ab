"""PostgreSQL: leave the planner one way to the deliveries that are due, as it cannot know which is the best (ADR 14).

Most of the time nothing is owed, so vacuum notes that the table is empty. The planner then takes any index to be as
good as any other, and reading the whole table to be as good as an index if vacuum gave its pages back. A plan made at
such a time is kept, and takes 20 ms and more once deliveries come in masses, until autovacuum runs.

So the table gets some pages and keeps them, and the index that allows one delivery for an event and a handler compares
handlers in another collation: the planner does not consider it to find a handler's deliveries.
"""

from django.db import migrations

from ..backends.migrations import RunPostgreSQL


class Migration(migrations.Migration):
    dependencies = [("bus", "0003_operations")]
    operations = [
        RunPostgreSQL(
            [
                "ALTER TABLE bus_delivery SET (vacuum_truncate = off)",
                # With ids that no delivery has. Beside these forty pages, an index is cheaper from the first plan on.
                "INSERT INTO bus_delivery (id, event_id, handler, due_at, attempts) "
                "SELECT -n, gen_random_uuid(), 'nobody', now(), 0 FROM generate_series(1, 4000) AS n",
                "DELETE FROM bus_delivery WHERE id < 0",
                "ALTER TABLE bus_delivery DROP CONSTRAINT delivery_once",
                'CREATE UNIQUE INDEX delivery_once ON bus_delivery (event_id, handler COLLATE "C")',
            ],
            [
                "DROP INDEX delivery_once",
                "ALTER TABLE bus_delivery ADD CONSTRAINT delivery_once UNIQUE (event_id, handler)",
                "ALTER TABLE bus_delivery RESET (vacuum_truncate)",
            ],
        )
    ]
