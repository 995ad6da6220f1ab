"""Indexes that users are filtered and searched by; on PostgreSQL, one on the words of their names.

The index is used only while its expression equals that of the lookup `words`, which the admins share.
"""

from django.db import migrations, models

from project.bus.backends.migrations import RunPostgreSQL


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
        RunPostgreSQL(
            ["CREATE INDEX users_user_words ON users_user USING gin (to_tsvector('simple', name))"],
            ["DROP INDEX users_user_words"],
        ),
    ]
