"""PostgreSQL: leave room beside each stock row for its next versions, so that indexes need not point to them.

A stock row changes with every batch of orders. While an old snapshot is held open (a report, a back-up), none of its
versions can be removed, and a search for the row passes all of them: each by way of three indexes, unless it shares a
page with the one before. A page is filled to a tenth, so nine in ten do. After 120 versions of each of 1,000 rows, a
change of 400 of them takes 7,300 page accesses; with full pages, 148,000.
"""

from django.db import migrations

from project.bus.backends.migrations import RunPostgreSQL


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_product_search")]
    operations = [
        RunPostgreSQL(
            ["ALTER TABLE inventory_stock SET (fillfactor = 10)"], ["ALTER TABLE inventory_stock RESET (fillfactor)"]
        )
    ]
