"""Products and locations, which staff edit."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from inventory.models import Location, Product, Stock
from project.adminkit import LinksToChanges, ReadOnly, link, list_link


class StockInline(ReadOnly, TabularInline):
    """The stock of a product."""

    model = Stock
    fields = ("location_link", "on_hand", "reserved", "available")
    readonly_fields = ("location_link", "available")
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        return Stock.objects.select_related("location").order_by("location__priority", "location_id")

    @admin.display(description="location")
    def location_link(self, stock: Stock) -> str:
        return link("inventory_stock", stock.pk, stock.location.code)


@admin.register(Product)
class ProductAdmin(LinksToChanges):
    """Products; Product.save() publishes each change."""

    list_display = ("sku", "name", "price_with_currency", "available", "active")
    list_filter = ("active",)
    search_fields = ("sku__startswith", "name__words")
    search_help_text = "SKU or name"
    ordering = ("sku",)
    fields = ("sku", "name", "price", "currency", "active", "version", "created_at", "changed_at", "events")
    inlines = (StockInline,)
    audit_key = "sku"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return Product.objects.with_available()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Product | None:
        """Find a product by its id or its SKU: other services link to it by its SKU."""
        found: Product | None = super().get_object(request, object_id, from_field)
        return found or self.get_queryset(request).filter(sku=object_id).first()

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        return self.fields if obj else self.fields[: self.fields.index("version")]

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        """Make the SKU of an existing product read-only: other services know the product by it."""
        changing = ("version", "created_at", "changed_at", "events", *(("sku",) if obj else ()))
        return (*super().get_readonly_fields(request, obj), *changing)

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """Refuse: other services know the product, so it is deactivated instead."""
        return False

    @admin.display(description="price")
    def price_with_currency(self, product: Product) -> str:
        return f"{product.price:,.2f} {product.currency}"

    def available(self, product: Any) -> int:
        return int(product.available)

    def events(self, product: Product) -> str:
        return list_link("bus_event", "events about this product", q=product.sku)


@admin.register(Location)
class LocationAdmin(LinksToChanges):
    """Locations that hold stock."""

    list_display = ("code", "name", "priority", "active")
    search_fields = ("code__startswith",)
    search_help_text = "The beginning of a code"
    ordering = ("priority", "id")
    fields = ("code", "name", "priority", "active")
    audit_key = "code"

    def get_readonly_fields(self, request: HttpRequest, obj: Location | None = None) -> tuple[str, ...]:
        """Make the code of an existing location read-only: files and programs name the location by it."""
        return (*super().get_readonly_fields(request, obj), *(("code",) if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Location | None = None) -> bool:
        """Refuse: a closed location is deactivated instead."""
        return False
