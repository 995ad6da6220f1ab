"""What was decided about orders, and the units that are kept for them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from inventory.models import Allocation, Reservation
from project.api.admin import ReadOnly, ReadOnlyTable, link, list_link

COLOURS = {
    Allocation.State.RESERVED: "success",
    Allocation.State.REJECTED: "danger",
    Allocation.State.CANCELLED: "warning",
    Reservation.State.ACTIVE: "success",
}


class ReservationInline(ReadOnly, TabularInline):
    """The units of an order."""

    model = Reservation
    fields = ("stock", "quantity", "state")
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        """With what the stock is called by."""
        return Reservation.objects.select_related("stock__product", "stock__location").order_by("id")


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyTable):
    """What was decided about each order, the newest order first."""

    list_display = ("order_id", "stands", "event", "at")
    search_fields = ("order_id",)
    search_help_text = "Id of an order"
    ordering = ("-order_id",)
    fields = ("order", "stands", "event", "at", "ledger")
    readonly_fields = ("order", "stands", "event", "ledger")
    inlines = (ReservationInline,)

    @display(description="state", label=COLOURS)
    def stands(self, allocation: Allocation) -> str:
        """What was decided."""
        return allocation.state

    def order(self, allocation: Allocation) -> str:
        """A link to the order."""
        return link("orders_order", allocation.pk)

    @admin.display(description="decided on")
    def event(self, allocation: Allocation) -> str:
        """A link to the event that brought it into this state."""
        return link("bus_event", allocation.event_id)

    def ledger(self, allocation: Allocation) -> str:
        """A link to the order's movements."""
        return list_link("inventory_movement", "movements", q=allocation.pk)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyTable):
    """Units kept for orders, newest first."""

    list_display = ("id", "stands", "quantity", "stock", "order")
    list_select_related = ("stock__product", "stock__location")
    search_fields = ("allocation_id",)
    search_help_text = "Id of an order"
    ordering = ("-id",)
    fields = ("id", "stands", "quantity", "stock", "order", "allocation")
    readonly_fields = ("stands", "order")

    @display(description="state", label=COLOURS)
    def stands(self, reservation: Reservation) -> str:
        """Whether they are still kept."""
        return reservation.state

    def order(self, reservation: Reservation) -> str:
        """A link to the order."""
        return link("orders_order", reservation.allocation_id)
