"""Inventory as JSON."""

from typing import Any

from rest_framework import serializers

from inventory.models import MAX_PRIORITY, MIN_PRIORITY, Location, Movement, Product, Stock
from inventory.operations.stock import MAX_UNITS
from project.api.serializers import (
    MoneyField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from project.plain_text import MAX_TEXT_LENGTH

MAX_CODE_LENGTH = 64


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product, as anyone sees it."""

    available = serializers.IntegerField(read_only=True, help_text="Units that can still be ordered.")

    class Meta:
        model = Product
        fields = ("sku", "name", "price", "currency", "active", "available")
        read_only_fields = fields


class ProductChangeSerializer(StrictSerializer):
    """Changes of a product."""

    name = StrictCharField(max_length=200)
    price = MoneyField()
    currency = StrictCharField(min_length=3, max_length=3, help_text="As in EUR.")
    active = StrictBooleanField(help_text="Whether it is for sale.")


class NewProductSerializer(StrictSerializer):
    """A product to add."""

    sku = StrictCharField(max_length=MAX_CODE_LENGTH)
    name = StrictCharField(max_length=200)
    price = MoneyField()
    currency = StrictCharField(min_length=3, max_length=3, default="EUR", help_text="As in EUR.")
    active = StrictBooleanField(default=True, help_text="Whether it is for sale.")


class LocationSerializer(serializers.ModelSerializer[Location]):
    """A location that holds stock."""

    class Meta:
        model = Location
        fields = ("code", "name", "priority", "active")
        read_only_fields = fields


class LocationChangeSerializer(StrictSerializer):
    """Changes of a location."""

    name = StrictCharField(max_length=200)
    priority = StrictIntegerField(
        min_value=MIN_PRIORITY,
        max_value=MAX_PRIORITY,
        help_text="Orders are filled from the lowest number first.",
    )
    active = StrictBooleanField(help_text="Whether orders are filled from it.")


class NewLocationSerializer(StrictSerializer):
    """A location to add."""

    code = StrictCharField(max_length=MAX_CODE_LENGTH)
    name = StrictCharField(max_length=200)
    priority = StrictIntegerField(
        min_value=MIN_PRIORITY,
        max_value=MAX_PRIORITY,
        default=0,
        help_text="Orders are filled from the lowest number first.",
    )


class StockSerializer(serializers.ModelSerializer[Stock]):
    """The units of a product at a location."""

    sku = serializers.CharField(source="product.sku", read_only=True)
    location = serializers.CharField(source="location.code", read_only=True)
    available = serializers.IntegerField(read_only=True)

    class Meta:
        model = Stock
        fields = ("sku", "location", "on_hand", "reserved", "available")
        read_only_fields = fields


class MovementSerializer(serializers.ModelSerializer[Movement]):
    """One change of a stock row's figures, and its cause."""

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
    """Units that arrived."""

    sku = StrictCharField(max_length=MAX_CODE_LENGTH)
    location = StrictCharField(max_length=MAX_CODE_LENGTH)
    quantity = StrictIntegerField(min_value=1, max_value=MAX_UNITS)
    reason = StrictCharField(max_length=MAX_TEXT_LENGTH, allow_blank=True, default="")


class AdjustmentSerializer(StrictSerializer):
    """A correction of the units on hand."""

    sku = StrictCharField(max_length=MAX_CODE_LENGTH)
    location = StrictCharField(max_length=MAX_CODE_LENGTH)
    quantity = StrictIntegerField(
        min_value=-MAX_UNITS, max_value=MAX_UNITS, help_text="Negative where units are missing."
    )
    reason = StrictCharField(max_length=MAX_TEXT_LENGTH)


class TransferSerializer(StrictSerializer):
    """Units to move from one location to another."""

    sku = StrictCharField(max_length=MAX_CODE_LENGTH)
    source = StrictCharField(max_length=MAX_CODE_LENGTH)  # type: ignore[assignment]
    target = StrictCharField(max_length=MAX_CODE_LENGTH)
    quantity = StrictIntegerField(min_value=1, max_value=MAX_UNITS)
    reason = StrictCharField(max_length=MAX_TEXT_LENGTH)


class TransferredSerializer(serializers.Serializer[Any]):
    """Both stocks after a transfer."""

    source = StockSerializer(read_only=True)  # type: ignore[assignment]
    target = StockSerializer(read_only=True)
