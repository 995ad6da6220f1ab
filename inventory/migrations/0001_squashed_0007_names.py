"""The tables of inventory as of 0.2.0, and the triggers that protect the ledger and what it refers to.

A new database runs this one alone. A database of 0.1.0 runs those that it replaces, which may be deleted in the second
release after 0.2.0: upgrades from 0.1.0 then go by way of 0.2.0.

On PostgreSQL a page of stock rows is filled to a tenth, which leaves room beside each row for its next versions. While
an old snapshot is held open (a report, a back-up), none of its versions can be removed, and a search for the row passes
all of them: each by way of three indexes, unless it shares a page with the one before. After 120 versions of each of
1,000 rows, a change of 400 of them takes 7,300 page accesses; with full pages, 148,000.

Also there, an index on the words of names serves searches, while its expression equals that of the lookup `words`, which
the admins share.
"""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models

from project.bus.backends.migrations import RunPostgreSQL, RunSQLite

from . import _triggers


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("inventory", "0001_initial"),
        ("inventory", "0002_movement_append_only"),
        ("inventory", "0003_movement_by_people"),
        ("inventory", "0004_product_search"),
        ("inventory", "0005_stock_room"),
        ("inventory", "0006_ledger_by_sets"),
        ("inventory", "0007_names"),
    ]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='Location',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('\\A[A-Za-z0-9][A-Za-z0-9._-]*\\Z', 'Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.')])),
                ('name', models.CharField(max_length=200)),
                ('priority', models.IntegerField(default=0, help_text='Orders are filled from the lowest number first.')),
                ('active', models.BooleanField(default=True, help_text='Whether orders are filled from it.')),
            ],
            options={
                'ordering': ('priority', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Allocation',
            fields=[
                ('order_id', models.UUIDField(primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('reserved', 'Reserved'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled')], max_length=20)),
                ('event_id', models.UUIDField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['reserved', 'rejected', 'cancelled'])), name='inventory_allocation_state')],
            },
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('sku', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('\\A[A-Za-z0-9][A-Za-z0-9._-]*\\Z', 'Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.')], verbose_name='SKU')),
                ('name', models.CharField(max_length=200)),
                ('price', models.DecimalField(decimal_places=2, max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('currency', models.CharField(default='EUR', max_length=3, validators=[django.core.validators.RegexValidator('\\A[A-Z]{3}\\Z', 'Use the three capital letters of ISO 4217, as in EUR.')])),
                ('active', models.BooleanField(default=True, help_text='Whether it is for sale.')),
                ('version', models.PositiveBigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ('sku',),
                'indexes': [models.Index(condition=models.Q(('active', False)), fields=['sku'], name='inventory_product_inactive')],
                'constraints': [models.CheckConstraint(condition=models.Q(('price__gte', 0)), name='inventory_product_price')],
            },
        ),
        migrations.CreateModel(
            name='Stock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on_hand', models.BigIntegerField(db_default=0, default=0)),
                ('reserved', models.BigIntegerField(db_default=0, default=0)),
                ('location', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stock', to='inventory.location')),
                ('product', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='stock', to='inventory.product')),
            ],
            options={
                'verbose_name_plural': 'stock',
                'constraints': [models.UniqueConstraint(fields=('product', 'location'), name='inventory_stock_once'), models.CheckConstraint(condition=models.Q(('reserved__gte', 0), ('reserved__lte', models.F('on_hand'))), name='inventory_stock_within_on_hand')],
            },
        ),
        migrations.CreateModel(
            name='Reservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.BigIntegerField()),
                ('state', models.CharField(choices=[('active', 'Active'), ('released', 'Released')], db_default='active', default='active', max_length=20)),
                ('allocation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reservations', to='inventory.allocation')),
                ('stock', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reservations', to='inventory.stock')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'active')), fields=['stock'], name='inventory_reservation_active')],
                'constraints': [models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='inventory_reservation_quantity'), models.CheckConstraint(condition=models.Q(('state__in', ['active', 'released'])), name='inventory_reservation_state'), models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('allocation', 'stock'), name='inventory_reservation_once')],
            },
        ),
        migrations.CreateModel(
            name='Movement',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('received', 'Received'), ('adjusted', 'Adjusted'), ('transferred', 'Transferred'), ('reserved', 'Reserved'), ('released', 'Released')], max_length=20)),
                ('on_hand_delta', models.BigIntegerField()),
                ('reserved_delta', models.BigIntegerField()),
                ('on_hand_after', models.BigIntegerField()),
                ('reserved_after', models.BigIntegerField()),
                ('order_id', models.UUIDField(blank=True, null=True)),
                ('event_id', models.UUIDField(blank=True, null=True)),
                ('actor_id', models.UUIDField(blank=True, null=True)),
                ('reason', models.TextField(blank=True, db_default='', default='')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('stock', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='movements', to='inventory.stock')),
            ],
            options={
                'indexes': [models.Index(fields=['stock', 'id'], name='inventory_movement_stock'), models.Index(condition=models.Q(('order_id__isnull', False)), fields=['order_id'], name='inventory_movement_order'), models.Index(condition=models.Q(('event_id__isnull', False)), fields=['event_id'], name='inventory_movement_event'), models.Index(condition=models.Q(('kind__in', ['received', 'adjusted', 'transferred', 'released'])), fields=['kind', 'id'], name='inventory_movement_kind')],
                'constraints': [models.CheckConstraint(condition=models.Q(('on_hand_delta', 0), ('reserved_delta', 0), _negated=True), name='inventory_movement_not_empty'), models.CheckConstraint(condition=models.Q(('event_id__isnull', False), ('actor_id__isnull', False), models.Q(('reason', ''), _negated=True), _connector='OR'), name='inventory_movement_has_cause')],
            },
        ),
        RunPostgreSQL(
            [
                "ALTER TABLE inventory_stock SET (fillfactor = 10)",
                "CREATE INDEX inventory_product_words ON inventory_product USING gin (to_tsvector('simple', name))",
                *_triggers.LEDGER_POSTGRESQL,
                *_triggers.STOCK_POSTGRESQL,
            ],
            [*_triggers.DROP_STOCK_POSTGRESQL, *_triggers.DROP_LEDGER_POSTGRESQL],
        ),
        RunSQLite(
            [*_triggers.LEDGER_SQLITE, *_triggers.STOCK_SQLITE],
            [*_triggers.DROP_STOCK_SQLITE, *_triggers.DROP_LEDGER_SQLITE],
        ),
    ]
