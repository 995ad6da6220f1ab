"""An index of each customer's open orders, for the quotas."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_reasons_for_customers")]
    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                fields=["customer_id"],
                condition=models.Q(status__in=("placed", "confirmed", "backordered")),
                name="orders_order_open",
            ),
        ),
    ]
