"""Stock in the admin: staff receive and adjust it by operations."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.dataclasses import ActionDialog
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from inventory import operations
from inventory.models import Location, Reservation, Stock
from project.adminkit import DialogForm, ReadOnlyAdmin, list_link, run_in_dialog
from project.plain_text import MAX_TEXT_LENGTH


class ReceiveForm(DialogForm):
    """Units that arrived."""

    sku = forms.CharField(label="SKU", widget=UnfoldAdminTextInputWidget)
    location = forms.ModelChoiceField(Location.objects.all(), to_field_name="code", widget=UnfoldAdminSelectWidget)
    quantity = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(
        max_length=MAX_TEXT_LENGTH,
        help_text="For example, the number of the delivery note.",
        widget=UnfoldAdminTextInputWidget,
    )


class AdjustForm(DialogForm):
    """A correction."""

    quantity = forms.IntegerField(
        help_text="Units to add; negative to remove units.", widget=UnfoldAdminIntegerFieldWidget
    )
    reason = forms.CharField(max_length=MAX_TEXT_LENGTH, widget=UnfoldAdminTextInputWidget)


RECEIVE = ActionDialog(
    title="Receive stock",
    description="Units that arrived are added to the units on hand.",
    form_class=ReceiveForm,
    form_submit_text="Receive",
)
ADJUST = ActionDialog(
    title="Adjust stock",
    description="Correct the units on hand after a count or a loss. Reserved units stay.",
    form_class=AdjustForm,
    form_submit_text="Adjust",
)


def report_stock(request: HttpRequest, stock: Stock) -> str:
    """Show the new figures in a message, and return the address of the stock's page."""
    messages.success(request, f"{stock}: {stock.on_hand} on hand, {stock.reserved} of them reserved.")
    return reverse("admin:inventory_stock_change", args=[stock.pk])


@admin.register(Stock)
class StockAdmin(ReadOnlyAdmin):
    """Stock by product and location. Only operations change it, and they write the ledger."""

    list_display = ("product", "location", "on_hand", "reserved", "available", "ledger")
    list_filter = ("location",)
    list_select_related = ("product", "location")
    search_fields = ("product__sku__startswith",)
    search_help_text = "The beginning of a SKU"
    # Has an index: products in the sequence in which they were added.
    ordering = ("product_id", "location_id")
    fields = ("product", "location", "on_hand", "reserved", "available", "ledger", "holders")
    readonly_fields = ("available", "ledger", "holders")
    actions_list = ("receive",)
    actions_detail = ("adjust",)

    def ledger(self, stock: Stock) -> str:
        return list_link("inventory_movement", "movements", stock__id__exact=stock.pk)

    @admin.display(description="reserved for")
    def holders(self, stock: Stock) -> str:
        query = {"stock__id__exact": stock.pk, "state__exact": Reservation.State.ACTIVE}
        return list_link("inventory_reservation", "active reservations", **query)

    # A method, because the system check of a permission's name queries the database and fails before the first migrate.
    def has_move_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_act(request, permission="inventory.change_stock", object_id=object_id)

    @action(
        description="Receive stock", permissions=["move"], dialog=RECEIVE, icon="add", variant=ActionVariant.PRIMARY
    )
    def receive(self, request: HttpRequest, form: ReceiveForm) -> HttpResponse:
        data = form.cleaned_data

        def receive() -> str:
            stock = operations.receive_stock(
                sku=data["sku"],
                location=data["location"].code,
                quantity=data["quantity"],
                reason=data["reason"],
                actor_id=request.user.pk,
            )
            return report_stock(request, stock)

        return run_in_dialog(request, form, RECEIVE, receive)

    @action(description="Adjust", permissions=["move"], dialog=ADJUST, icon="edit", variant=ActionVariant.PRIMARY)
    def adjust(self, request: HttpRequest, form: AdjustForm, object_id: str) -> HttpResponse:
        stock = self.get_object(request, object_id)
        assert stock is not None  # noqa: S101 - has_move_permission has looked

        def adjust() -> str:
            adjusted = operations.adjust_stock(
                sku=stock.product.sku,
                location=stock.location.code,
                quantity=form.cleaned_data["quantity"],
                reason=form.cleaned_data["reason"],
                actor_id=request.user.pk,
            )
            return report_stock(request, adjusted)

        return run_in_dialog(request, form, ADJUST, adjust)
