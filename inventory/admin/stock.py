"""What is where: people receive and adjust it, by the operations."""

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from unfold.dataclasses import ActionDialog
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from inventory import operations
from inventory.models import Location, Reservation, Stock
from project.api.admin import DialogForm, ReadOnlyTable, in_dialog, list_link


class ReceiveForm(DialogForm):
    """What was delivered."""

    sku = forms.CharField(label="SKU", widget=UnfoldAdminTextInputWidget)
    location = forms.ModelChoiceField(Location.objects.all(), to_field_name="code", widget=UnfoldAdminSelectWidget)
    quantity = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget)
    reason = forms.CharField(help_text="Such as the delivery note's number.", widget=UnfoldAdminTextInputWidget)


class AdjustForm(DialogForm):
    """What was counted to be more or less."""

    quantity = forms.IntegerField(
        help_text="How many more there are; with a minus sign, how many fewer.", widget=UnfoldAdminIntegerFieldWidget
    )
    reason = forms.CharField(widget=UnfoldAdminTextInputWidget)


RECEIVE = ActionDialog(
    title="Receive stock",
    description="Units that arrived are added to what is on hand.",
    form_class=ReceiveForm,
    form_submit_text="Receive",
)
ADJUST = ActionDialog(
    title="Adjust stock",
    description="Correct what is on hand after a count or a loss. What is reserved stays.",
    form_class=AdjustForm,
    form_submit_text="Adjust",
)


def told(request: HttpRequest, stock: Stock) -> str:
    """Say how much there is now, and give the address of the page that shows it."""
    messages.success(request, f"{stock}: {stock.on_hand} on hand, {stock.reserved} of them reserved.")
    return reverse("admin:inventory_stock_change", args=[stock.pk])


@admin.register(Stock)
class StockAdmin(ReadOnlyTable):
    """What is where. It changes only through the operations, which write the ledger."""

    list_display = ("product", "location", "on_hand", "reserved", "available", "ledger")
    list_filter = ("location",)
    list_select_related = ("product", "location")
    search_fields = ("product__sku__startswith",)
    search_help_text = "How a SKU begins"
    # By an index: products as they were added.
    ordering = ("product_id", "location_id")
    fields = ("product", "location", "on_hand", "reserved", "available", "ledger", "holders")
    readonly_fields = ("available", "ledger", "holders")
    actions_list = ("receive",)
    actions_detail = ("adjust",)

    def ledger(self, stock: Stock) -> str:
        """A link to its movements."""
        return list_link("inventory_movement", "movements", stock__id__exact=stock.pk)

    @admin.display(description="reserved for")
    def holders(self, stock: Stock) -> str:
        """A link to the orders' shares of it."""
        query = {"stock__id__exact": stock.pk, "state__exact": Reservation.State.ACTIVE}
        return list_link("inventory_reservation", "active reservations", **query)

    # Named by a method: the check of a plain permission's name asks the database, so it would fail before migrate.
    def has_move_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may change stock may receive and adjust it."""
        return request.user.has_perm("inventory.change_stock")

    @action(
        description="Receive stock", permissions=["move"], dialog=RECEIVE, icon="add", variant=ActionVariant.PRIMARY
    )
    def receive(self, request: HttpRequest, form: ReceiveForm) -> HttpResponse:
        """Put delivered units into stock."""
        data = form.cleaned_data

        def receive() -> str:
            stock = operations.receive_stock(
                sku=data["sku"],
                location=data["location"].code,
                quantity=data["quantity"],
                reason=data["reason"],
                actor_id=request.user.pk,
            )
            return told(request, stock)

        return in_dialog(request, form, RECEIVE, receive)

    @action(description="Adjust", permissions=["move"], dialog=ADJUST, icon="edit", variant=ActionVariant.PRIMARY)
    def adjust(self, request: HttpRequest, form: AdjustForm, object_id: str) -> HttpResponse:
        """Correct what is on hand."""
        stock = self.get_object(request, object_id)
        if stock is None:
            raise Http404

        def adjust() -> str:
            adjusted = operations.adjust_stock(
                sku=stock.product.sku,
                location=stock.location.code,
                quantity=form.cleaned_data["quantity"],
                reason=form.cleaned_data["reason"],
                actor_id=request.user.pk,
            )
            return told(request, adjusted)

        return in_dialog(request, form, ADJUST, adjust)
