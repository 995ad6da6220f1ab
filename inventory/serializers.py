"""Inventory as JSON."""

from typing import Any

from rest_framework import serializers

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.stock import MOST
from project.api.serializers import FlagField, StrictSerializer, TextField, WholeNumberField

LONGEST_CODE = 64
LONGEST_REASON = 500
#: What the column holds.
LOWEST_PRIORITY, HIGHEST_PRIORITY = -(2**31), 2**31 - 1


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product as anybody sees it."""

    available = serializers.IntegerField(read_only=True, help_text="Units that can still be ordered.")

    class Meta:
        model = Product
        fields = ("sku", "name", "price", "currency", "active", "available")
        read_only_fields = fields


class ProductChangeSerializer(StrictSerializer):
    """What can be changed of a product."""

    name = TextField(max_length=200)
    price = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    currency = TextField(min_length=3, max_length=3, help_text="As in EUR.")
    active = FlagField(help_text="Whether it is for sale.")


class NewProductSerializer(StrictSerializer):
    """A product to be added."""

    sku = TextField(max_length=LONGEST_CODE)
    name = TextField(max_length=200)
    price = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    currency = TextField(min_length=3, max_length=3, default="EUR", help_text="As in EUR.")
    active = FlagField(default=True, help_text="Whether it is for sale.")


class LocationSerializer(serializers.ModelSerializer[Location]):
    """A place that holds stock."""

    class Meta:
        model = Location
        fields = ("code", "name", "priority", "active")
        read_only_fields = fields


class LocationChangeSerializer(StrictSerializer):
    """What can be changed of a location."""

    name = TextField(max_length=200)
    priority = WholeNumberField(
        min_value=LOWEST_PRIORITY,
        max_value=HIGHEST_PRIORITY,
        help_text="Orders are filled from the lowest number first.",
    )
    active = FlagField(help_text="Whether orders are filled from it.")


class NewLocationSerializer(StrictSerializer):
    """A location to be added."""

    code = TextField(max_length=LONGEST_CODE)
    name = TextField(max_length=200)
    priority = WholeNumberField(
        min_value=LOWEST_PRIORITY,
        max_value=HIGHEST_PRIORITY,
        default=0,
        help_text="Orders are filled from the lowest number first.",
    )


class StockSerializer(serializers.ModelSerializer[Stock]):
    """How much of a product is at a location."""

    sku = serializers.CharField(source="product.sku", read_only=True)
    location = serializers.CharField(source="location.code", read_only=True)
    available = serializers.IntegerField(read_only=True)

    class Meta:
        model = Stock
        fields = ("sku", "location", "on_hand", "reserved", "available")
        read_only_fields = fields


class MovementSerializer(serializers.ModelSerializer[Movement]):
    """One change of a stock's figures, and what or who caused it."""

    sku = serializers.CharField(source="stock.product.sku", read_only=True)
    location = serializers.CharField(source="stock.location.code", read_only=True)

    class Meta:
        model = Movement
        fields = (
            "id",
            "at",
            "kind",
            "sku",
            "location",
            "on_hand_delta",
            "reserved_delta",
            "on_hand_after",
            "reserved_after",
            "order_id",
            "event_id",
            "actor_id",
            "reason",
        )
        read_only_fields = fields


class ReceiptOfGoodsSerializer(StrictSerializer):
    """Units that came in."""

    sku = TextField(max_length=LONGEST_CODE)
    location = TextField(max_length=LONGEST_CODE)
    quantity = WholeNumberField(min_value=1, max_value=MOST)
    reason = TextField(max_length=LONGEST_REASON, allow_blank=True, default="")


class AdjustmentSerializer(StrictSerializer):
    """A correction of what is on hand."""

    sku = TextField(max_length=LONGEST_CODE)
    location = TextField(max_length=LONGEST_CODE)
    quantity = WholeNumberField(min_value=-MOST, max_value=MOST, help_text="Negative where units are missing.")
    reason = TextField(max_length=LONGEST_REASON)


class TransferSerializer(StrictSerializer):
    """Units that go from one location to another."""

    sku = TextField(max_length=LONGEST_CODE)
    source = TextField(max_length=LONGEST_CODE)  # type: ignore[assignment]
    target = TextField(max_length=LONGEST_CODE)
    quantity = WholeNumberField(min_value=1, max_value=MOST)
    reason = TextField(max_length=LONGEST_REASON)


class TransferredSerializer(serializers.Serializer[Any]):
    """Both stocks after a transfer."""

    source = StockSerializer(read_only=True)  # type: ignore[assignment]
    target = StockSerializer(read_only=True)
