"""Orders over HTTP."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.orders import customer_id
from benchmarks.peers.naive.operations import place_order


class LineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1)


class OrderSerializer(serializers.Serializer[Any]):
    lines = LineSerializer(many=True, allow_empty=False)


class OrdersView(APIView):
    def post(self, request: Request) -> Response:
        """Place an order."""
        serializer = OrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        lines = [(line["sku"], line["quantity"]) for line in serializer.validated_data["lines"]]
        order = place_order(customer_id(request.user.pk), lines)
        return Response({"id": order.pk, "status": order.status}, status=201)
