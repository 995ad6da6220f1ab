"""Triggers that refuse to change, delete or truncate movements."""

from django.db import migrations

from project.bus.backends.migrations import RunPostgreSQL, RunSQLite

from . import _triggers


class Migration(migrations.Migration):
    dependencies = (("inventory", "0001_initial"),)
    operations = (
        RunPostgreSQL(_triggers.LEDGER_POSTGRESQL, _triggers.DROP_LEDGER_POSTGRESQL),
        RunSQLite(_triggers.LEDGER_SQLITE, _triggers.DROP_LEDGER_SQLITE),
    )
