"""The catalogue, stock and its ledger over HTTP."""

from http import HTTPStatus
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from inventory import operations
from inventory.filters import MovementFilters, StockFilters
from inventory.models import Location, Movement, Product, Stock
from inventory.serializers import (
    AdjustmentSerializer,
    LocationChangeSerializer,
    LocationSerializer,
    MovementSerializer,
    NewLocationSerializer,
    NewProductSerializer,
    ProductChangeSerializer,
    ProductSerializer,
    ReceiptOfGoodsSerializer,
    StockSerializer,
    TransferredSerializer,
    TransferSerializer,
)
from project.api.authentication import user_id
from project.api.permissions import Permitted, is_permitted
from project.api.serializers import StrictSerializer


class ProductViews(Permitted, GenericAPIView[Product]):
    """Base of the views below: anyone sees active products."""

    permissions = {"POST": "inventory.add_product", "PATCH": "inventory.change_product"}
    serializer_class = ProductSerializer
    queryset = Product.objects.with_available()

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method in SAFE_METHODS else super().get_permissions()

    def get_queryset(self) -> QuerySet[Product]:
        """All products for who may change them or see inactive ones."""
        products = super().get_queryset()
        if self.request.method not in SAFE_METHODS or is_permitted(self.request, "inventory.view_product"):
            return products
        return products.filter(active=True)


class ProductsView(ProductViews, ListAPIView[Product]):
    """GET: list products, newest first. POST: add one."""

    def get(self, request: Request) -> Response:
        """List products, newest first.

        Only active ones; for staff with the permission `inventory.view_product`, all.
        """
        return self.list(request)

    @extend_schema(request=NewProductSerializer, responses={HTTPStatus.CREATED: ProductSerializer})
    def post(self, request: Request) -> Response:
        """Add a product."""
        product = operations.add_product(**validated(NewProductSerializer, request))
        return Response(self.get_serializer(self.get_queryset().get(pk=product.pk)).data, status=HTTPStatus.CREATED)


class ProductView(ProductViews):
    """GET and PATCH: one product."""

    def get(self, request: Request, sku: str) -> Response:
        """Show a product.

        An inactive one is shown to staff with the permission `inventory.view_product`.
        """
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), sku=sku)).data)

    @extend_schema(request=ProductChangeSerializer, responses=ProductSerializer)
    def patch(self, request: Request, sku: str) -> Response:
        """Change the sent fields of a product.

        The SKU cannot change. Products are never deleted: deactivate one that is no longer for sale.
        """
        get_object_or_404(self.get_queryset(), sku=sku)
        operations.change_product(sku=sku, **validated(ProductChangeSerializer, request, partial=True))
        return Response(self.get_serializer(self.get_queryset().get(sku=sku)).data)


class LocationViews(Permitted, GenericAPIView[Location]):
    """Base of the views below."""

    permissions = {
        "GET": "inventory.view_location",
        "POST": "inventory.add_location",
        "PATCH": "inventory.change_location",
    }
    serializer_class = LocationSerializer
    queryset = Location.objects.all()


class LocationsView(LocationViews, ListAPIView[Location]):
    """GET: list locations. POST: add one."""

    def get(self, request: Request) -> Response:
        """List the locations that hold stock."""
        return self.list(request)

    @extend_schema(request=NewLocationSerializer, responses={HTTPStatus.CREATED: LocationSerializer})
    def post(self, request: Request) -> Response:
        """Add a location."""
        location = operations.add_location(**validated(NewLocationSerializer, request))
        return Response(LocationSerializer(location).data, status=HTTPStatus.CREATED)


class LocationView(LocationViews):
    """GET and PATCH: one location."""

    def get(self, request: Request, code: str) -> Response:
        """Show a location."""
        return Response(LocationSerializer(get_object_or_404(self.get_queryset(), code=code)).data)

    @extend_schema(request=LocationChangeSerializer, responses=LocationSerializer)
    def patch(self, request: Request, code: str) -> Response:
        """Change the sent fields of a location.

        The code cannot change. Stock at an inactive location is not available for orders.
        """
        get_object_or_404(self.get_queryset(), code=code)
        changes = validated(LocationChangeSerializer, request, partial=True)
        return Response(LocationSerializer(operations.change_location(code=code, **changes)).data)


class StockView(Permitted, ListAPIView[Stock]):
    """GET: stock by product and location."""

    permissions = {"GET": "inventory.view_stock"}
    serializer_class = StockSerializer
    filterset_class = StockFilters
    queryset = Stock.objects.select_related("product", "location")

    def get(self, request: Request) -> Response:
        """List the stock of each product at each location."""
        return self.list(request)


class MovementsView(Permitted, ListAPIView[Movement]):
    """GET: the ledger."""

    permissions = {"GET": "inventory.view_movement"}
    serializer_class = MovementSerializer
    filterset_class = MovementFilters
    queryset = Movement.objects.select_related("stock__product", "stock__location")

    def get(self, request: Request) -> Response:
        """List the changes of stock, newest first, each with its cause."""
        return self.list(request)


class ReceiveView(Permitted):
    """POST: receive units."""

    permissions = {"POST": "inventory.change_stock"}

    @extend_schema(request=ReceiptOfGoodsSerializer, responses=StockSerializer)
    def post(self, request: Request) -> Response:
        """Add units that arrived to the stock.

        Answers with the new stock.
        """
        stock = operations.receive_stock(**validated(ReceiptOfGoodsSerializer, request), actor_id=user_id(request))
        return Response(StockSerializer(stock).data)


class AdjustView(Permitted):
    """POST: correct the units on hand."""

    permissions = {"POST": "inventory.change_stock"}

    @extend_schema(request=AdjustmentSerializer, responses=StockSerializer)
    def post(self, request: Request) -> Response:
        """Correct the units on hand by a positive or negative quantity.

        Reserved units cannot be removed. Answers with the new stock.
        """
        stock = operations.adjust_stock(**validated(AdjustmentSerializer, request), actor_id=user_id(request))
        return Response(StockSerializer(stock).data)


class Transferred(NamedTuple):
    """Both stocks after a transfer."""

    source: Stock
    target: Stock


class TransferView(Permitted):
    """POST: move units between locations."""

    permissions = {"POST": "inventory.change_stock"}

    @extend_schema(request=TransferSerializer, responses=TransferredSerializer)
    def post(self, request: Request) -> Response:
        """Move units from one location to another.

        Reserved units stay where they are. Answers with both new stocks.
        """
        stocks = operations.transfer_stock(**validated(TransferSerializer, request), actor_id=user_id(request))
        return Response(TransferredSerializer(Transferred(*stocks)).data)


def validated(serializer_class: type[StrictSerializer], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """Return the validated body.

    Raises:
        ValidationError: naming each wrong field.
    """
    serializer = serializer_class(data=request.data, partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
