"""The catalogue, stock and its ledger over HTTP."""

from http import HTTPStatus
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

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
from project.api.people import user_id
from project.api.serializers import StrictSerializer


class ProductViews(GenericAPIView[Product]):
    """What the views below share: what is not for sale is seen by staff alone."""

    serializer_class = ProductSerializer
    queryset = Product.objects.with_available()

    def get_permissions(self) -> list[BasePermission]:
        """Anyone looks, staff write."""
        return [AllowAny() if self.request.method in SAFE_METHODS else IsAdminUser()]

    def get_queryset(self) -> QuerySet[Product]:
        """The products that the user may see."""
        products = super().get_queryset()
        return products if self.request.user.is_staff else products.filter(active=True)


class ProductsView(ProductViews, ListAPIView[Product]):
    """GET: list them, newest first. POST: add one."""

    def get(self, request: Request) -> Response:
        """List products, newest first.

        What is for sale; for staff, all.
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
        """Show a product."""
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), sku=sku)).data)

    @extend_schema(request=ProductChangeSerializer, responses=ProductSerializer)
    def patch(self, request: Request, sku: str) -> Response:
        """Change what is sent of a product.

        Its SKU stays. Products are never deleted: one that is no longer for sale is made inactive.
        """
        get_object_or_404(self.get_queryset(), sku=sku)
        operations.change_product(sku=sku, **validated(ProductChangeSerializer, request, partial=True))
        return Response(self.get_serializer(self.get_queryset().get(sku=sku)).data)


class LocationViews(GenericAPIView[Location]):
    """What the views below share."""

    permission_classes = (IsAdminUser,)
    serializer_class = LocationSerializer
    queryset = Location.objects.all()


class LocationsView(LocationViews, ListAPIView[Location]):
    """GET: list them. POST: add one."""

    def get(self, request: Request) -> Response:
        """List the places that hold stock."""
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
        """Change what is sent of a location.

        Its code stays. What an inactive one holds is not available to orders.
        """
        get_object_or_404(self.get_queryset(), code=code)
        changes = validated(LocationChangeSerializer, request, partial=True)
        return Response(LocationSerializer(operations.change_location(code=code, **changes)).data)


class StockView(ListAPIView[Stock]):
    """GET: how much there is, by product and location."""

    permission_classes = (IsAdminUser,)
    serializer_class = StockSerializer
    filterset_class = StockFilters
    queryset = Stock.objects.select_related("product", "location")

    def get(self, request: Request) -> Response:
        """List how much there is of each product at each location."""
        return self.list(request)


class MovementsView(ListAPIView[Movement]):
    """GET: the ledger."""

    permission_classes = (IsAdminUser,)
    serializer_class = MovementSerializer
    filterset_class = MovementFilters
    queryset = Movement.objects.select_related("stock__product", "stock__location")

    def get(self, request: Request) -> Response:
        """List the changes of stock, newest first, each with its cause."""
        return self.list(request)


class ReceiveView(APIView):
    """POST: goods came in."""

    permission_classes = (IsAdminUser,)

    @extend_schema(request=ReceiptOfGoodsSerializer, responses=StockSerializer)
    def post(self, request: Request) -> Response:
        """Put units that came in into stock.

        Answers with the stock as it is then.
        """
        stock = operations.receive_stock(**validated(ReceiptOfGoodsSerializer, request), actor_id=user_id(request))
        return Response(StockSerializer(stock).data)


class AdjustView(APIView):
    """POST: what is on hand is more or less than was thought."""

    permission_classes = (IsAdminUser,)

    @extend_schema(request=AdjustmentSerializer, responses=StockSerializer)
    def post(self, request: Request) -> Response:
        """Correct what is on hand, by so many units more or less.

        What is reserved cannot be taken away. Answers with the stock as it is then.
        """
        stock = operations.adjust_stock(**validated(AdjustmentSerializer, request), actor_id=user_id(request))
        return Response(StockSerializer(stock).data)


class Transferred(NamedTuple):
    """Both stocks after a transfer."""

    source: Stock
    target: Stock


class TransferView(APIView):
    """POST: goods go from one location to another."""

    permission_classes = (IsAdminUser,)

    @extend_schema(request=TransferSerializer, responses=TransferredSerializer)
    def post(self, request: Request) -> Response:
        """Move units from one location to another.

        What is reserved stays where it is. Answers with both stocks as they are then.
        """
        stocks = operations.transfer_stock(**validated(TransferSerializer, request), actor_id=user_id(request))
        return Response(TransferredSerializer(Transferred(*stocks)).data)


def validated(serializer_class: type[StrictSerializer], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """The body, as what it has to be.

    Raises:
        ValidationError: naming each field that is wrong.
    """
    serializer = serializer_class(data=request.data, partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
