"""Indexes that products are filtered and searched by; on PostgreSQL, one on the words of their names.

The index is used only while its expression equals that of the lookup `words`, which the admins share.
"""

from django.db import migrations, models

from project.bus.backends.migrations import RunPostgreSQL


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_movement_by_people")]
    operations = [
        migrations.AddIndex(
            model_name="product",
            index=models.Index(fields=["sku"], condition=models.Q(active=False), name="inventory_product_inactive"),
        ),
        RunPostgreSQL(
            ["CREATE INDEX inventory_product_words ON inventory_product USING gin (to_tsvector('simple', name))"],
            ["DROP INDEX inventory_product_words"],
        ),
    ]
