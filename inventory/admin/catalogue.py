"""Products and locations: what people edit."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from inventory.models import Location, Product, Stock
from project.api.admin import ReadOnly, Table, link, list_link


class StockInline(ReadOnly, TabularInline):
    """Where a product is."""

    model = Stock
    fields = ("place", "on_hand", "reserved", "available")
    readonly_fields = ("place", "available")
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        """With the location."""
        return Stock.objects.select_related("location").order_by("location__priority", "location_id")

    @admin.display(description="location")
    def place(self, stock: Stock) -> str:
        """A link to the stock."""
        return link("inventory_stock", stock.pk, stock.location.code)


@admin.register(Product)
class ProductAdmin(Table):
    """Products: Product.save() announces each change, here as everywhere."""

    list_display = ("sku", "name", "costs", "available", "active")
    list_filter = ("active",)
    search_fields = ("sku__startswith", "name__words")
    search_help_text = "SKU or name"
    ordering = ("sku",)
    fields = ("sku", "name", "price", "currency", "active", "version", "created_at", "changed_at", "events")
    inlines = (StockInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """With what can still be promised of each."""
        return Product.objects.with_available()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Product | None:
        """By its SKU too, which is what others know it by."""
        found: Product | None = super().get_object(request, object_id, from_field)
        return found or self.get_queryset(request).filter(sku=object_id).first()

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        """What a new product has not is left out."""
        return self.fields if obj else self.fields[: self.fields.index("version")]

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        """A SKU is chosen once."""
        return ("version", "created_at", "changed_at", "events", *(("sku",) if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """A product that is no longer sold is made inactive: others know it."""
        return False

    @admin.display(description="price")
    def costs(self, product: Product) -> str:
        """What one costs."""
        return f"{product.price:,.2f} {product.currency}"

    def available(self, product: Any) -> int:
        """What can still be promised."""
        return int(product.available)

    def events(self, product: Product) -> str:
        """A link to its announced changes."""
        return list_link("bus_event", "events about this product", q=product.sku)


@admin.register(Location)
class LocationAdmin(Table):
    """Places that hold stock."""

    list_display = ("code", "name", "priority", "active")
    search_fields = ("code__startswith",)
    search_help_text = "How a code begins"
    ordering = ("priority", "id")
    fields = ("code", "name", "priority", "active")

    def get_readonly_fields(self, request: HttpRequest, obj: Location | None = None) -> tuple[str, ...]:
        """A code is chosen once: files and programs name the place by it."""
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Location | None = None) -> bool:
        """A place that is closed is made inactive."""
        return False
