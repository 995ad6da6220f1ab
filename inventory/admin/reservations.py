"""Allocations and reservations in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from inventory.models import Allocation, Reservation
from project.adminkit import ReadOnly, ReadOnlyAdmin, link, list_link

STATE_COLOURS = {
    Allocation.State.RESERVED: "success",
    Allocation.State.REJECTED: "danger",
    Allocation.State.CANCELLED: "warning",
    Reservation.State.ACTIVE: "success",
}


class ReservationInline(ReadOnly, TabularInline):
    """The reservations of an order."""

    model = Reservation
    fields = ("stock", "quantity", "state")
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return Reservation.objects.select_related("stock__product", "stock__location").order_by("id")


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """The decision about each order, newest order first."""

    list_display = ("order_id", "state_label", "event", "at")
    search_fields = ("order_id",)
    search_help_text = "Id of an order"
    ordering = ("-order_id",)
    fields = ("order", "state_label", "event", "at", "ledger")
    readonly_fields = ("order", "state_label", "event", "ledger")
    inlines = (ReservationInline,)

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, allocation: Allocation) -> str:
        return allocation.state

    def order(self, allocation: Allocation) -> str:
        return link("orders_order", allocation.pk)

    @admin.display(description="decided on")
    def event(self, allocation: Allocation) -> str:
        return link("bus_event", allocation.event_id)

    def ledger(self, allocation: Allocation) -> str:
        return list_link("inventory_movement", "movements", q=allocation.pk)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """Units reserved for orders, newest first."""

    list_display = ("id", "state_label", "quantity", "stock", "order")
    list_select_related = ("stock__product", "stock__location")
    link_lookups = ("stock__id__exact", "state__exact")
    search_fields = ("allocation_id",)
    search_help_text = "Id of an order"
    ordering = ("-id",)
    fields = ("id", "state_label", "quantity", "stock", "order", "allocation")
    readonly_fields = ("state_label", "order")

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, reservation: Reservation) -> str:
        return reservation.state

    def order(self, reservation: Reservation) -> str:
        return link("orders_order", reservation.allocation_id)
