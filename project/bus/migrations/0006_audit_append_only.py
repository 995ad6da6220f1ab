"""Triggers that refuse to change, delete or truncate the audit of operators."""

from django.db import migrations

from ..backends.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("bus", "0005_names")]
    operations = append_only("bus_auditentry", prefix="bus_audit")
