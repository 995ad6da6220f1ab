"""Orders as JSON."""

from typing import Any

from rest_framework import serializers

from orders.models import Order, OrderChange, OrderLine
from orders.operations import MOST_LINES, MOST_UNITS
from project.api.serializers import StrictSerializer, TextField, WholeNumberField


class NewLineSerializer(StrictSerializer):
    """One line of an order to be placed."""

    sku = TextField(max_length=64)
    quantity = WholeNumberField(min_value=1, max_value=MOST_UNITS)


class NewOrderSerializer(StrictSerializer):
    """An order to be placed. The number of lines is looked at before any of them."""

    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NewLineSerializer(), allow_empty=False, max_length=MOST_LINES
    )


class CancellationSerializer(StrictSerializer):
    """Why an order is called off."""

    reason = TextField(max_length=500, allow_blank=True, default="")


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    """One line of an order."""

    price = serializers.DecimalField(max_digits=16, decimal_places=2, read_only=True)

    class Meta:
        model = OrderLine
        fields = ("sku", "name", "quantity", "unit_price", "price")
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order."""

    lines = LineSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = ("id", "customer_id", "status", "reason", "currency", "total", "lines", "placed_at", "changed_at")
        read_only_fields = fields


class ChangeSerializer(serializers.ModelSerializer[OrderChange]):
    """One step of an order's history."""

    class Meta:
        model = OrderChange
        fields = ("sequence", "from_status", "to_status", "at", "event_id", "actor_id", "reason")
        read_only_fields = fields


class HistorySerializer(serializers.Serializer[Any]):
    """An order's history, from its first step on."""

    results = ChangeSerializer(many=True, read_only=True)
