"""Orders in Django admin: to be read, followed and cancelled. Nothing is edited past the operations."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from orders import operations
from orders.models import CatalogueItem, Order, OrderChange, OrderLine, Status
from project.api.admin import DialogForm, ReadOnly, ReadOnlyTable, cause_link, in_dialog, link, list_link

LONGEST_LIST_OF_REFUSALS = 10
COLOURS = {
    Status.PLACED: "info",
    Status.CONFIRMED: "success",
    Status.BACKORDERED: "warning",
    Status.REJECTED: "danger",
    Status.PAID: "success",
    Status.SHIPPED: "success",
    Status.CANCELLED: "warning",
}


def money(amount: Decimal, currency: str) -> str:
    """An amount as people write it."""
    return f"{amount:,.2f} {currency}"


class LineInline(ReadOnly, TabularInline):
    """An order's lines."""

    model = OrderLine
    verbose_name_plural = "lines"
    fields = ("product", "name", "quantity", "unit_price", "price")
    readonly_fields = ("product", "price")
    ordering = ("id",)
    extra = 0
    hide_title = True

    @admin.display(description="SKU")
    def product(self, line: OrderLine) -> str:
        """A link to the product."""
        return link("inventory_product", line.sku)


class ChangeInline(ReadOnly, TabularInline):
    """An order's history."""

    model = OrderChange
    verbose_name_plural = "history"
    fields = ("sequence", "status", "at", "cause", "reason")
    readonly_fields = ("status", "cause")
    ordering = ("sequence",)
    extra = 0
    hide_title = True

    def status(self, change: OrderChange) -> str:
        """The status that it took."""
        return change.to_status

    @admin.display(description="caused by")
    def cause(self, change: OrderChange) -> str:
        """A link to what or who caused it."""
        return cause_link(event_id=change.event_id, actor_id=change.actor_id)


class CancelForm(DialogForm):
    """Why."""

    reason = forms.CharField(max_length=500, help_text="The customer is told, too.", widget=UnfoldAdminTextInputWidget)


CANCEL = ActionDialog(
    title="Call this order off",
    description="What is reserved for it goes back into stock.",
    form_class=CancelForm,
    form_submit_text="Call it off",
)


@admin.register(Order)
class OrderAdmin(ReadOnlyTable):
    """Orders, newest first."""

    list_display = ("id", "stands", "to_pay", "customer", "placed_at")
    list_filter = ("status",)
    ordering = ("-id",)
    search_fields = ("id", "customer_id")
    search_help_text = "Id of an order or of a customer"
    fieldsets = (
        (None, {"fields": ("id", "stands", "reason", "to_pay", "customer", "origin", "placed_at", "changed_at")}),
        ("What it led to", {"fields": ("events", "allocation", "movements")}),
    )
    readonly_fields = ("stands", "to_pay", "customer", "origin", "events", "allocation", "movements")
    inlines = (LineInline, ChangeInline)
    actions = ("cancel_orders",)
    actions_detail = ("cancel",)

    @display(description="status", label=COLOURS)
    def stands(self, order: Order) -> str:
        """Where it stands."""
        return order.status

    @admin.display(description="total")
    def to_pay(self, order: Order) -> str:
        """What it costs."""
        return money(order.total, order.currency)

    @admin.display(description="customer")
    def customer(self, order: Order) -> str:
        """A link to whose it is."""
        return link("users_user", order.customer_id)

    def origin(self, order: Order) -> str:
        """How it came about."""
        return "welcome order" if order.is_welcome else "placed by the customer"

    def events(self, order: Order) -> str:
        """A link to the events about it."""
        return list_link("bus_event", "events about this order", q=order.pk)

    def allocation(self, order: Order) -> str:
        """A link to what inventory decided."""
        return list_link("inventory_allocation", "what inventory decided", q=order.pk)

    def movements(self, order: Order) -> str:
        """A link to its rows of the ledger."""
        return list_link("inventory_movement", "stock movements for this order", q=order.pk)

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may change orders may cancel them."""
        return request.user.has_perm("orders.change_order")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Nothing to press on an order that can no longer be cancelled."""
        order = self.get_object(request, object_id)
        possible = order is not None and order.may_become(Status.CANCELLED)
        return super().get_actions_detail(request, object_id) if possible else []

    @action(
        description="Cancel order", permissions=["cancel"], dialog=CANCEL, icon="cancel", variant=ActionVariant.DANGER
    )
    def cancel(self, request: HttpRequest, form: CancelForm, object_id: str) -> HttpResponse:
        """Cancel one, saying why."""
        order = self.get_object(request, object_id)
        if order is None:
            raise Http404

        def cancel() -> str:
            operations.cancel_order(order_id=order.pk, actor_id=request.user.pk, reason=form.cleaned_data["reason"])
            messages.success(request, f"Order {order.pk} is cancelled; its stock is being released.")
            return reverse("admin:orders_order_change", args=[order.pk])

        return in_dialog(request, form, CANCEL, cancel)

    @admin.action(description="Cancel orders", permissions=["cancel"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Cancel each, and say which could not be."""
        cancelled, refusals = 0, []
        for order_id in queryset.values_list("pk", flat=True):
            try:
                operations.cancel_order(order_id=order_id, actor_id=request.user.pk, reason="Cancelled by staff.")
            except operations.StatusForbids as refusal:
                refusals.append(str(refusal))
            else:
                cancelled += 1
        if cancelled:
            self.message_user(request, f"Orders cancelled: {cancelled}.", messages.SUCCESS)
        for text in refusals[:LONGEST_LIST_OF_REFUSALS]:
            self.message_user(request, text, messages.ERROR)
        if (more := len(refusals) - LONGEST_LIST_OF_REFUSALS) > 0:
            self.message_user(request, f"Not cancelled either: {more} more orders.", messages.ERROR)


@admin.register(CatalogueItem)
class CatalogueItemAdmin(ReadOnlyTable):
    """The copy of what is for sale; inventory's products are where it is changed."""

    list_display = ("sku", "name", "costs", "active", "sequence")
    search_fields = ("sku__startswith",)
    search_help_text = "How a SKU begins"
    ordering = ("sku",)
    fields = ("sku", "name", "costs", "active", "sequence", "product", "events")
    readonly_fields = ("costs", "product", "events")

    @admin.display(description="price")
    def costs(self, item: CatalogueItem) -> str:
        """What one costs."""
        return money(item.price, item.currency)

    def product(self, item: CatalogueItem) -> str:
        """A link to what this is a copy of."""
        return link("inventory_product", item.sku, "the product itself")

    def events(self, item: CatalogueItem) -> str:
        """A link to the changes it was told of."""
        return list_link("bus_event", "changes of this product", q=item.sku)
