"""Triggers that refuse to change, delete or truncate the audit of operators."""

from django.db import migrations

from ..backends.migrations import RunPostgreSQL, RunSQLite
from . import _audit_triggers


class Migration(migrations.Migration):
    dependencies = [("bus", "0005_names")]
    operations = [
        RunPostgreSQL(_audit_triggers.POSTGRESQL, _audit_triggers.DROP_POSTGRESQL),
        RunSQLite(_audit_triggers.SQLITE, _audit_triggers.DROP_SQLITE),
    ]
