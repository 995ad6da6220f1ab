"""Orders over HTTP: customers see their own, staff with permission see all."""

from http import HTTPStatus
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orders import operations
from orders.filters import OrderFilters
from orders.models import Order
from orders.serializers import CancellationSerializer, HistorySerializer, NewOrderSerializer, OrderSerializer
from project.api.authentication import user_id
from project.api.permissions import is_permitted
from project.events import Line


class OrderViews(GenericAPIView[Order]):
    """Base of the views below. Someone else's order answers 404, so nobody learns that it exists."""

    serializer_class = OrderSerializer
    queryset = Order.objects.prefetch_related("lines")

    #: Who has one of these sees the orders of all customers.
    permissions_for_all: tuple[str, ...] = ("orders.view_order",)

    def get_queryset(self) -> QuerySet[Order]:
        orders = super().get_queryset()
        if any(is_permitted(self.request, permission) for permission in self.permissions_for_all):
            return orders
        return orders.filter(customer_id=user_id(self.request))


class OrdersView(OrderViews, ListAPIView[Order]):
    """GET: list orders, newest first. POST: place one."""

    filterset_class = OrderFilters

    def get(self, request: Request) -> Response:
        """List orders, newest first.

        You see your own orders; staff with the permission `orders.view_order` see all.
        """
        return self.list(request)

    @extend_schema(request=NewOrderSerializer, responses={HTTPStatus.CREATED: OrderSerializer})
    def post(self, request: Request) -> Response:
        """Place an order.

        The answer comes as soon as the order is written, with the status `placed`; `confirmed` or `rejected` follows a
        moment later.
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
        """Show an order and its lines.

        Your own; with the permission `orders.view_order`, staff see any.
        """
        return Response(OrderSerializer(get_object_or_404(self.get_queryset(), pk=order_id)).data)


class HistoryView(OrderViews):
    """GET: the history of an order."""

    @extend_schema(responses=HistorySerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show the status changes of an order, oldest first, each with its cause.

        Your own; with the permission `orders.view_order`, staff see that of any, with the reasons that staff gave.
        """
        order = get_object_or_404(self.get_queryset().prefetch_related(None), pk=order_id)
        context = {} if is_permitted(request, "orders.view_order") else {"order": order}
        # An order has few, so one page is enough.
        return Response(HistorySerializer({"results": order.changes.order_by("sequence")}, context=context).data)


class CancelView(OrderViews):
    """POST: cancel an order."""

    permissions_for_all = ("orders.view_order", "orders.change_order")

    @extend_schema(
        request=CancellationSerializer,
        responses={
            HTTPStatus.OK: OrderSerializer,
            HTTPStatus.FORBIDDEN: OpenApiResponse(description="You may see the order, but not cancel it."),
            HTTPStatus.CONFLICT: OpenApiResponse(description="The order can no longer be cancelled."),
        },
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        """Cancel an order; the reason is optional.

        Your own; with the permission `orders.change_order`, staff cancel any. The units reserved for it are released.
        """
        order = get_object_or_404(self.get_queryset(), pk=order_id)
        if order.customer_id != user_id(request) and not is_permitted(request, "orders.change_order"):
            raise PermissionDenied
        serializer = CancellationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        operations.cancel_order(order_id=order.pk, actor_id=user_id(request), **serializer.validated_data)
        return Response(OrderSerializer(self.get_queryset().get(pk=order_id)).data)
