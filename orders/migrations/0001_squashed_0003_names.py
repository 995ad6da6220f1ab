"""The tables of orders as of 0.2.0.

A new database runs this one alone. A database of 0.1.0 runs those that it replaces, which may be deleted in the second
release after 0.2.0: upgrades from 0.1.0 then go by way of 0.2.0.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [("orders", "0001_initial"), ("orders", "0002_order_in_status"), ("orders", "0003_names")]

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='CatalogueItem',
            fields=[
                ('sku', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='SKU')),
                ('name', models.CharField(max_length=200)),
                ('price', models.DecimalField(decimal_places=2, max_digits=12)),
                ('currency', models.CharField(max_length=3)),
                ('active', models.BooleanField()),
                ('sequence', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('customer_id', models.UUIDField()),
                ('status', models.CharField(choices=[('placed', 'Placed'), ('confirmed', 'Confirmed'), ('backordered', 'Backordered'), ('rejected', 'Rejected'), ('paid', 'Paid'), ('shipped', 'Shipped'), ('returned', 'Returned'), ('cancelled', 'Cancelled')], default='placed', max_length=20)),
                ('version', models.PositiveIntegerField(default=1)),
                ('currency', models.CharField(max_length=3)),
                ('total', models.DecimalField(decimal_places=2, max_digits=12)),
                ('reason', models.TextField(blank=True, default='')),
                ('is_welcome', models.BooleanField(default=False, verbose_name='welcome order')),
                ('placed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['customer_id', '-id'], name='orders_order_of_customer'), models.Index(fields=['status', '-id'], name='orders_order_in_status')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['placed', 'confirmed', 'backordered', 'rejected', 'paid', 'shipped', 'returned', 'cancelled'])), name='orders_order_status_known'), models.CheckConstraint(condition=models.Q(('total__gte', 0)), name='orders_order_total'), models.UniqueConstraint(condition=models.Q(('is_welcome', True)), fields=('customer_id',), name='orders_order_one_welcome')],
            },
        ),
        migrations.CreateModel(
            name='OrderChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField()),
                ('from_status', models.CharField(blank=True, choices=[('placed', 'Placed'), ('confirmed', 'Confirmed'), ('backordered', 'Backordered'), ('rejected', 'Rejected'), ('paid', 'Paid'), ('shipped', 'Shipped'), ('returned', 'Returned'), ('cancelled', 'Cancelled')], max_length=20)),
                ('to_status', models.CharField(choices=[('placed', 'Placed'), ('confirmed', 'Confirmed'), ('backordered', 'Backordered'), ('rejected', 'Rejected'), ('paid', 'Paid'), ('shipped', 'Shipped'), ('returned', 'Returned'), ('cancelled', 'Cancelled')], max_length=20)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('event_id', models.UUIDField(blank=True, null=True)),
                ('actor_id', models.UUIDField(blank=True, null=True)),
                ('reason', models.TextField(blank=True, default='')),
                ('order', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='orders.order')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('order', 'sequence'), name='orders_orderchange_once')],
            },
        ),
        migrations.CreateModel(
            name='OrderLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=64, verbose_name='SKU')),
                ('name', models.CharField(max_length=200)),
                ('quantity', models.PositiveIntegerField()),
                ('unit_price', models.DecimalField(decimal_places=2, max_digits=12)),
                ('order', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='orders.order')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('order', 'sku'), name='orders_orderline_once'), models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='orders_orderline_quantity'), models.CheckConstraint(condition=models.Q(('unit_price__gte', 0)), name='orders_orderline_price')],
            },
        ),
    ]
