"""Customers no longer see what staff wrote when they cancelled an order. Its history keeps it."""

from django.db import migrations
from django.db.models import Exists, OuterRef

CANCELLED_BY_THE_SHOP = "Cancelled by the shop."


def hide_reasons_of_staff(apps, schema_editor):
    order, change = apps.get_model("orders", "Order"), apps.get_model("orders", "OrderChange")
    database = schema_editor.connection.alias
    by_staff = (
        change.objects.filter(order=OuterRef("pk"), to_status="cancelled", actor_id__isnull=False)
        .exclude(actor_id=OuterRef("customer_id"))
    )
    cancelled = order.objects.using(database).filter(status="cancelled")
    cancelled.filter(Exists(by_staff)).update(reason=CANCELLED_BY_THE_SHOP)


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_names")]
    operations = [migrations.RunPython(hide_reasons_of_staff, migrations.RunPython.noop)]
