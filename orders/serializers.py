"""Orders as JSON."""

from typing import Any

from rest_framework import serializers

from orders.models import Order, OrderChange, OrderLine
from orders.operations import MAX_LINES, MAX_UNITS_PER_LINE
from project.api.serializers import StrictCharField, StrictIntegerField, StrictSerializer


class NewLineSerializer(StrictSerializer):
    """One line of an order to place."""

    sku = StrictCharField(max_length=64)
    quantity = StrictIntegerField(min_value=1, max_value=MAX_UNITS_PER_LINE)


class NewOrderSerializer(StrictSerializer):
    """An order to place. The number of lines is checked before any line is."""

    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NewLineSerializer(), allow_empty=False, max_length=MAX_LINES
    )


class CancellationSerializer(StrictSerializer):
    """Why the order is cancelled."""

    reason = StrictCharField(max_length=500, allow_blank=True, default="")


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
    """One status change of an order."""

    class Meta:
        model = OrderChange
        fields = ("sequence", "from_status", "to_status", "at", "event_id", "actor_id", "reason")
        read_only_fields = fields


class HistorySerializer(serializers.Serializer[Any]):
    """An order's history, oldest first."""

    results = ChangeSerializer(many=True, read_only=True)
