"""Indexes that products are filtered and searched by; on PostgreSQL one on the words of their names.

Its expression is that of the lookup `words` in project/api/admin.py, or it would not be used.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def index_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX inventory_product_words ON inventory_product USING gin (to_tsvector('simple', name))")


def forget_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX inventory_product_words")


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_movement_by_people")]
    operations = [
        migrations.AddIndex(
            model_name="product",
            index=models.Index(fields=["sku"], condition=models.Q(active=False), name="inventory_product_inactive"),
        ),
        migrations.RunPython(index_words, forget_words),
    ]
