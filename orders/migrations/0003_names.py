"""Shorten names of constraints to the 30 characters that every database takes. SQLite remakes both tables."""

from django.db import migrations

from project.bus.backends.migrations import RenameConstraints


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_order_in_status")]
    operations = [
        RenameConstraints("order", {"orders_order_total_not_negative": "orders_order_total"}),
        RenameConstraints(
            "orderline",
            {
                "orders_orderline_quantity_positive": "orders_orderline_quantity",
                "orders_orderline_price_not_negative": "orders_orderline_price",
            },
        ),
    ]
