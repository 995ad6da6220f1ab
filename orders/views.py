"""Orders over HTTP: one's own; for staff, everybody's."""

from http import HTTPStatus
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders import operations
from orders.filters import OrderFilters
from orders.models import Order
from orders.serializers import CancellationSerializer, HistorySerializer, NewOrderSerializer, OrderSerializer
from project.api.people import user_id
from project.events import Line


class OrderViews(GenericAPIView[Order]):
    """What the views below share: whoever asks for someone else's order learns not even that it exists."""

    serializer_class = OrderSerializer
    queryset = Order.objects.prefetch_related("lines")

    def get_queryset(self) -> QuerySet[Order]:
        """The orders that the user may see."""
        orders = super().get_queryset()
        return orders if self.request.user.is_staff else orders.filter(customer_id=user_id(self.request))


class OrdersView(OrderViews, ListAPIView[Order]):
    """GET: list them, newest first. POST: place one."""

    filterset_class = OrderFilters

    def get(self, request: Request) -> Response:
        """List orders, newest first.

        One's own; for staff, everybody's.
        """
        return self.list(request)

    @extend_schema(request=NewOrderSerializer, responses={HTTPStatus.CREATED: OrderSerializer})
    def post(self, request: Request) -> Response:
        """Place an order.

        It is answered as soon as it is taken, with the status `placed`; `confirmed` or `rejected` comes a moment later.
        """
        serializer = NewOrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        lines = [Line(**line) for line in serializer.validated_data["lines"]]
        order = operations.place_order(customer_id=user_id(request), lines=lines)
        location = request.build_absolute_uri(reverse("orders:order", args=[order.pk]))
        return Response(OrderSerializer(order).data, status=HTTPStatus.CREATED, headers={"Location": location})


class OrderView(OrderViews):
    """GET: one order."""

    def get(self, request: Request, order_id: UUID) -> Response:
        """Show an order and its lines."""
        return Response(OrderSerializer(get_object_or_404(self.get_queryset(), pk=order_id)).data)


class HistoryView(OrderViews):
    """GET: what happened to an order."""

    @extend_schema(responses=HistorySerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show the steps of an order, from the first on, each with its cause."""
        order = get_object_or_404(self.get_queryset().prefetch_related(None), pk=order_id)
        # They are few, so there is one page.
        return Response(HistorySerializer({"results": order.changes.order_by("sequence")}).data)


class CancelView(OrderViews):
    """POST: call an order off."""

    @extend_schema(
        request=CancellationSerializer,
        responses={
            HTTPStatus.OK: OrderSerializer,
            HTTPStatus.CONFLICT: OpenApiResponse(description="It can no longer be cancelled."),
        },
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        """Cancel an order, with a reason or without.

        What was reserved for it is released.
        """
        order = get_object_or_404(self.get_queryset(), pk=order_id)
        serializer = CancellationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        operations.cancel_order(
            order_id=order.pk, actor_id=user_id(request), reason=serializer.validated_data["reason"]
        )
        return Response(OrderSerializer(self.get_queryset().get(pk=order_id)).data)
