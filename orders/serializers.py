"""Orders as JSON."""

from typing import Any

from rest_framework import serializers

from orders.models import Order, OrderChange, OrderLine
from orders.operations import MAX_LINES, MAX_UNITS_PER_LINE
from project.api.serializers import StrictCharField, StrictIntegerField, StrictSerializer
from project.plain_text import MAX_TEXT_LENGTH


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

    reason = StrictCharField(
        max_length=MAX_TEXT_LENGTH,
        allow_blank=True,
        default="",
        help_text="Kept in the history. The customer does not see the reason of staff.",
    )
    message = StrictCharField(
        max_length=MAX_TEXT_LENGTH,
        allow_blank=True,
        default="",
        help_text="From staff to the customer, who sees it as the order's `reason`; refused from the customer.",
    )


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
    """One status change of an order.

    With `order` in its context it is for the order's customer, who sees neither who of the staff made a change nor the
    reason that they kept, but what they told the customer.
    """

    class Meta:
        model = OrderChange
        fields = ("sequence", "from_status", "to_status", "at", "event_id", "actor_id", "reason")
        read_only_fields = fields
        extra_kwargs = {
            "actor_id": {"help_text": "Who made it. To the customer, null for a member of staff."},
            "reason": {"help_text": "To the customer, the message of a member of staff."},
        }

    def to_representation(self, instance: OrderChange) -> dict[str, Any]:
        shown = super().to_representation(instance)
        order: Order | None = self.context.get("order")
        if order is not None and instance.actor_id not in (None, order.customer_id):
            # An order that staff cancelled does not change again, so its reason is that of this change.
            shown |= {"actor_id": None, "reason": order.reason}
        return shown


class HistorySerializer(serializers.Serializer[Any]):
    """An order's history, oldest first."""

    results = ChangeSerializer(many=True, read_only=True)
