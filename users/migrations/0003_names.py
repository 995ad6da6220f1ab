"""Name the constraint after the app. SQLite remakes the table."""

from django.db import migrations

from project.bus.backends.migrations import RenameConstraints


class Migration(migrations.Migration):
    dependencies = [("users", "0002_user_search")]
    operations = [RenameConstraints("user", {"user_email_lower_case": "users_user_email_lower_case"})]
