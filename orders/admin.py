"""Orders in the admin: staff read, trace and cancel them. Only the operations change them."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from orders import operations
from orders.models import CatalogueItem, Order, OrderChange, OrderLine, Status
from project.adminkit import DialogForm, ReadOnly, ReadOnlyAdmin, cause_link, link, list_link, run_in_dialog
from project.plain_text import MAX_TEXT_LENGTH, validate_line

MAX_REFUSALS_SHOWN = 10
COLOURS = {
    Status.PLACED: "info",
    Status.CONFIRMED: "success",
    Status.BACKORDERED: "warning",
    Status.REJECTED: "danger",
    Status.PAID: "success",
    Status.SHIPPED: "success",
    Status.CANCELLED: "warning",
}


def format_money(amount: Decimal, currency: str) -> str:
    """Format an amount, as in 1,250.00 EUR."""
    return f"{amount:,.2f} {currency}"


class LineInline(ReadOnly, TabularInline):
    model = OrderLine
    verbose_name_plural = "lines"
    fields = ("product", "name", "quantity", "unit_price", "price")
    readonly_fields = ("product", "price")
    ordering = ("id",)
    extra = 0
    hide_title = True

    @admin.display(description="SKU")
    def product(self, line: OrderLine) -> str:
        return link("inventory_product", line.sku)


class ChangeInline(ReadOnly, TabularInline):
    model = OrderChange
    verbose_name_plural = "history"
    fields = ("sequence", "status", "at", "cause", "reason")
    readonly_fields = ("status", "cause")
    ordering = ("sequence",)
    extra = 0
    hide_title = True

    def status(self, change: OrderChange) -> str:
        return change.to_status

    @admin.display(description="caused by")
    def cause(self, change: OrderChange) -> str:
        return cause_link(event_id=change.event_id, actor_id=change.actor_id)


class CancelForm(DialogForm):
    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH,
        help_text="For the history. The customer does not see it.",
        validators=[validate_line],
        widget=UnfoldAdminTextInputWidget,
    )
    message = forms.CharField(
        label="Message to the customer",
        max_length=MAX_TEXT_LENGTH,
        required=False,
        help_text=f"By default: {operations.CANCELLED_BY_THE_SHOP}",
        widget=UnfoldAdminTextInputWidget,
    )


CANCEL = ActionDialog(
    title="Cancel this order",
    description="The units reserved for it become available again.",
    form_class=CancelForm,
    form_submit_text="Cancel order",
)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, newest first."""

    list_display = ("id", "status_label", "total_with_currency", "customer", "placed_at")
    list_filter = ("status",)
    ordering = ("-id",)
    search_fields = ("id", "customer_id")
    search_help_text = "Id of an order or of a customer"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "status_label",
                    "reason",
                    "total_with_currency",
                    "customer",
                    "origin",
                    "placed_at",
                    "changed_at",
                )
            },
        ),
        ("Consequences", {"fields": ("events", "allocation", "movements")}),
    )
    readonly_fields = ("status_label", "total_with_currency", "customer", "origin", "events", "allocation", "movements")
    inlines = (LineInline, ChangeInline)
    actions = ("cancel_orders",)
    actions_detail = ("cancel",)

    @display(description="status", label=COLOURS)
    def status_label(self, order: Order) -> str:
        return order.status

    @admin.display(description="total")
    def total_with_currency(self, order: Order) -> str:
        return format_money(order.total, order.currency)

    @admin.display(description="customer")
    def customer(self, order: Order) -> str:
        return link("users_user", order.customer_id)

    def origin(self, order: Order) -> str:
        return "welcome order" if order.is_welcome else "placed by the customer"

    def events(self, order: Order) -> str:
        return list_link("bus_event", "events about this order", q=order.pk)

    def allocation(self, order: Order) -> str:
        return list_link("inventory_allocation", "allocation", q=order.pk)

    def movements(self, order: Order) -> str:
        return list_link("inventory_movement", "stock movements for this order", q=order.pk)

    def has_cancel_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_act(request, permission="orders.change_order", object_id=object_id)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Show no buttons on an order that can no longer be cancelled."""
        order = self.get_object(request, object_id)
        possible = order is not None and order.can_become(Status.CANCELLED)
        return super().get_actions_detail(request, object_id) if possible else []

    @action(
        description="Cancel order", permissions=["cancel"], dialog=CANCEL, icon="cancel", variant=ActionVariant.DANGER
    )
    def cancel(self, request: HttpRequest, form: CancelForm, object_id: str) -> HttpResponse:
        order = self.get_object(request, object_id)
        assert order is not None  # noqa: S101 - has_cancel_permission has looked

        def cancel() -> str:
            operations.cancel_order(
                order_id=order.pk,
                actor_id=request.user.pk,
                reason=form.cleaned_data["reason"],
                message=form.cleaned_data["message"],
            )
            messages.success(request, f"Order {order.pk} is cancelled; its stock will be released in a moment.")
            return reverse("admin:orders_order_change", args=[order.pk])

        return run_in_dialog(request, form, CANCEL, cancel)

    @admin.action(description="Cancel orders", permissions=["cancel"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Cancel the selected orders, and show why some could not be."""
        cancelled, refusals = 0, []
        for order_id in queryset.values_list("pk", flat=True):
            try:
                operations.cancel_order(order_id=order_id, actor_id=request.user.pk, reason="Cancelled by staff.")
            except operations.TransitionNotAllowed as refusal:
                refusals.append(str(refusal))
            else:
                cancelled += 1
        if cancelled:
            self.message_user(request, f"Orders cancelled: {cancelled}.", messages.SUCCESS)
        for text in refusals[:MAX_REFUSALS_SHOWN]:
            self.message_user(request, text, messages.ERROR)
        if (more := len(refusals) - MAX_REFUSALS_SHOWN) > 0:
            self.message_user(request, f"{more} more orders were not cancelled.", messages.ERROR)


@admin.register(CatalogueItem)
class CatalogueItemAdmin(ReadOnlyAdmin):
    """The copy of the products; change them at inventory's products."""

    list_display = ("sku", "name", "price_with_currency", "active", "sequence")
    search_fields = ("sku__startswith",)
    search_help_text = "The beginning of a SKU"
    ordering = ("sku",)
    fields = ("sku", "name", "price_with_currency", "active", "sequence", "product", "events")
    readonly_fields = ("price_with_currency", "product", "events")

    @admin.display(description="price")
    def price_with_currency(self, item: CatalogueItem) -> str:
        return format_money(item.price, item.currency)

    def product(self, item: CatalogueItem) -> str:
        return link("inventory_product", item.sku, "the product itself")

    def events(self, item: CatalogueItem) -> str:
        return list_link("bus_event", "changes of this product", q=item.sku)
