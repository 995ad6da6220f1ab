"""Indexes that users are filtered and searched by; on PostgreSQL one on the words of their names.

Its expression is that of the lookup `words` in project/api/admin.py, or it would not be used.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def index_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX users_user_words ON users_user USING gin (to_tsvector('simple', name))")


def forget_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX users_user_words")


class Migration(migrations.Migration):
    dependencies = [("auth", "0012_alter_user_first_name_max_length"), ("users", "0001_initial")]
    operations = [
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["id"], condition=models.Q(is_staff=True), name="users_user_staff"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["id"], condition=models.Q(is_active=False), name="users_user_inactive"),
        ),
        migrations.RunPython(index_words, forget_words),
    ]
