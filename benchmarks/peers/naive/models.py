"""Orders, stock and its ledger, with the same columns as ours as far as they describe an order."""

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Customer(models.Model):
    id = models.UUIDField(primary_key=True)
    email = models.EmailField(unique=True)


class Product(models.Model):
    sku = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, default="EUR")
    active = models.BooleanField(default=True)


class Stock(models.Model):
    product = models.OneToOneField(Product, on_delete=models.PROTECT)
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(reserved__gte=0, reserved__lte=models.F("on_hand")), name="naive_stock_sane"
            ),
        )


class Order(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    customer_id = models.UUIDField(db_index=True)
    status = models.CharField(max_length=20, default="placed", db_index=True)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    reason = models.TextField(blank=True, default="")
    placed_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)


class OrderChange(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="changes")
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20)
    reason = models.TextField(blank=True, default="")
    at = models.DateTimeField(db_default=Now())


class Reservation(models.Model):
    order_id = models.UUIDField(db_index=True)
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT)
    quantity = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order_id", "stock"], name="naive_reservation_once"),)


class Movement(models.Model):
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT)
    kind = models.CharField(max_length=20)
    on_hand_delta = models.BigIntegerField(default=0)
    reserved_delta = models.BigIntegerField(default=0)
    on_hand_after = models.BigIntegerField()
    reserved_after = models.BigIntegerField()
    order_id = models.UUIDField(null=True, db_index=True)
    at = models.DateTimeField(db_default=Now())
