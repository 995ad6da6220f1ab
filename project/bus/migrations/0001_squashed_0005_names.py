"""The bus's tables as of 0.2.0.

A new database runs this one alone. A database of 0.1.0 runs those that it replaces, which may be deleted in the second
release after 0.2.0: upgrades from 0.1.0 then go by way of 0.2.0.

On PostgreSQL, vacuum goes by the number of dead rows, not by a share of the table: deliveries are deleted as fast as
they are inserted, and receipts only grow. With the default of a fifth of the table, vacuum runs too late to keep claims
on deliveries cheap, and ever more rarely on the other tables.

The table of deliveries gets some pages and keeps them, and the index that allows one delivery for an event and a handler
compares bytes: so the planner has one way to the deliveries that are due, also while the table is empty (ADR 14).
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from ..backends.migrations import RunPostgreSQL
from ..models import Bytewise

GROWING = ("bus_event", "bus_receipt", "bus_failure")


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("bus", "0001_initial"),
        ("bus", "0002_autovacuum"),
        ("bus", "0003_operations"),
        ("bus", "0004_one_way_to_deliveries"),
        ("bus", "0005_names"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('type', models.CharField(max_length=100)),
                ('version', models.PositiveSmallIntegerField(default=1)),
                ('subject', models.CharField(max_length=200)),
                ('sequence', models.BigIntegerField(blank=True, null=True)),
                ('time', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('data', models.JSONField()),
                ('correlation_id', models.UUIDField()),
                ('causation_id', models.UUIDField(blank=True, null=True)),
                ('traceparent', models.CharField(blank=True, db_default='', default='', max_length=55)),
            ],
            options={
                'indexes': [models.Index(fields=['subject', 'id'], name='bus_event_subject'), models.Index(fields=['correlation_id'], name='bus_event_correlation'), models.Index(fields=['type', 'id'], name='bus_event_type')],
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(max_length=100)),
                ('handler', models.CharField(db_index=True, max_length=100)),
                ('queue', models.CharField(max_length=50)),
                ('active', models.BooleanField(default=True)),
                ('paused', models.BooleanField(default=False)),
                ('failures', models.PositiveIntegerField(db_default=0, default=0)),
                ('openings', models.PositiveIntegerField(db_default=0, default=0)),
                ('open_until', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('event_type', 'handler'), name='bus_subscription_once')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('handler', models.CharField(max_length=100)),
                ('due_at', models.DateTimeField()),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('dead_at', models.DateTimeField(blank=True, null=True)),
                ('event', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='deliveries', to='bus.event')),
                ('signature', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('waits_for', models.CharField(blank=True, db_default='', default='', max_length=120)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'indexes': [models.Index(condition=models.Q(('attempts', 0), ('dead_at', None)), fields=['handler', 'due_at', 'id'], name='bus_delivery_fresh'), models.Index(condition=models.Q(('attempts__gt', 0), ('dead_at', None)), fields=['handler', 'due_at', 'id'], name='bus_delivery_retried'), models.Index(condition=models.Q(('dead_at__isnull', False)), fields=['dead_at', 'id'], name='bus_delivery_dead')],
                'constraints': [models.UniqueConstraint('event', Bytewise('handler'), name='bus_delivery_once')],
            },
        ),
        migrations.CreateModel(
            name='Failure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('delivery_id', models.BigIntegerField(db_index=True)),
                ('handler', models.CharField(max_length=100)),
                ('attempt', models.PositiveIntegerField()),
                ('error', models.CharField(max_length=200)),
                ('signature', models.CharField(max_length=64)),
                ('traceback', models.TextField()),
                ('worker', models.CharField(max_length=100)),
                ('failed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('event', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='failures', to='bus.event')),
            ],
            options={
                'indexes': [models.Index(fields=['signature', 'failed_at'], name='bus_failure_signature'), models.Index(fields=['failed_at'], name='bus_failure_failed')],
            },
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('delivery_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('handler', models.CharField(max_length=100)),
                ('outcome', models.CharField(choices=[('done', 'Done'), ('discarded', 'Discarded')], max_length=10)),
                ('attempts', models.PositiveIntegerField()),
                ('worker', models.CharField(max_length=100)),
                ('settled_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('event', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='receipts', to='bus.event')),
            ],
            options={
                'indexes': [models.Index(fields=['settled_at'], name='bus_receipt_settled')],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor', models.CharField(max_length=100)),
                ('action', models.CharField(max_length=20)),
                ('request', models.JSONField()),
                ('outcome', models.JSONField()),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'indexes': [models.Index(fields=['at'], name='bus_audit_at')],
            },
        ),
        migrations.CreateModel(
            name='FailureCount',
            fields=[
                ('signature', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('handler', models.CharField(max_length=100)),
                ('error', models.CharField(max_length=200)),
                ('count', models.PositiveBigIntegerField()),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['last_at'], name='bus_failure_count_last')],
            },
        ),
        migrations.CreateModel(
            name='RefusedMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.CharField(max_length=50)),
                ('reason', models.CharField(max_length=100)),
                ('count', models.PositiveBigIntegerField()),
                ('sample', models.TextField()),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('queue', 'reason'), name='bus_refused_once')],
            },
        ),
        RunPostgreSQL(
            [
                "ALTER TABLE bus_delivery SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, "
                "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, "
                "autovacuum_analyze_threshold = 5000, vacuum_truncate = off)",
                *(
                    f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_scale_factor = 0, "
                    "autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_scale_factor = 0.02)"
                    for table in GROWING
                ),
                # With ids that no delivery has. Beside these forty pages, an index is cheaper from the first plan on.
                "INSERT INTO bus_delivery (id, event_id, handler, due_at, attempts) "
                "SELECT -n, gen_random_uuid(), 'nobody', now(), 0 FROM generate_series(1, 4000) AS n",
                "DELETE FROM bus_delivery WHERE id < 0",
            ],
            (),
        ),
    ]
