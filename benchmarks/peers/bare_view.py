"""The smallest DRF view that takes an order, on the same server and behind the same middleware as ours.

It authenticates the same way, reads the same prices, and inserts the same order, lines and history; nothing else.
"""

from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.models import CatalogueItem, Order, OrderChange, OrderLine


class OrdersView(APIView):
    """The orders endpoint."""

    def post(self, request: Request) -> Response:
        """Insert the rows of an order."""
        lines = cast("dict[str, Any]", request.data)["lines"]
        quantities = {line["sku"]: line["quantity"] for line in lines}
        items = CatalogueItem.objects.in_bulk(list(quantities))
        total = sum((quantities[sku] * item.price for sku, item in items.items()), Decimal(0))
        with transaction.atomic():
            order = Order.objects.create(customer_id=cast("UUID", request.user.pk), currency="EUR", total=total)
            OrderLine.objects.bulk_create(
                OrderLine(order=order, sku=sku, name=item.name, quantity=quantities[sku], unit_price=item.price)
                for sku, item in items.items()
            )
            OrderChange.objects.create(order=order, sequence=1, to_status=order.status)
        return Response({"id": order.pk, "status": order.status}, status=201)


urlpatterns = [path("api/v1/orders/", OrdersView.as_view())]
