"""The ledger in the admin: every change of stock, with a link to its cause."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from inventory.models import Movement
from project.adminkit import ReadOnlyAdmin, cause_link, link

STATE_COLOURS = {
    Movement.Kind.RECEIVED: "success",
    Movement.Kind.ADJUSTED: "warning",
    Movement.Kind.TRANSFERRED: "info",
}


def format_figure(delta: int, after: int) -> str:
    """Format a figure after a movement, with its change if there is one."""
    return f"{after:,} ({delta:+,})" if delta else f"{after:,}"


class KindFilter(admin.SimpleListFilter):
    """Filter by the kinds that people make, which have an index, or by movements for orders, which are most."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [*((kind, kind) for kind in STATE_COLOURS), ("orders", "for orders")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Movement]) -> QuerySet[Movement]:
        if self.value() == "orders":
            return queryset.filter(order_id__isnull=False)
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Movement)
class MovementAdmin(ReadOnlyAdmin):
    """The ledger, newest first."""

    list_display = ("id", "kind_label", "stock", "on_hand", "reserved", "order", "cause_brief", "at")
    list_select_related = ("stock__product", "stock__location")
    list_filter = (KindFilter,)
    link_lookups = ("stock__id__exact",)
    search_fields = ("order_id", "event_id")
    search_help_text = "Id of an order or of an event"
    ordering = ("-id",)
    fields = ("id", "kind_label", "stock", "on_hand", "reserved", "order", "cause", "reason", "at")
    readonly_fields = ("kind_label", "on_hand", "reserved", "order", "cause")

    @display(description="kind", label=STATE_COLOURS)
    def kind_label(self, movement: Movement) -> str:
        return movement.kind

    @admin.display(description="on hand")
    def on_hand(self, movement: Movement) -> str:
        return format_figure(movement.on_hand_delta, movement.on_hand_after)

    def reserved(self, movement: Movement) -> str:
        return format_figure(movement.reserved_delta, movement.reserved_after)

    def order(self, movement: Movement) -> str:
        return link("orders_order", movement.order_id)

    @admin.display(description="caused by")
    def cause_brief(self, movement: Movement) -> str:
        """Link to the cause in one word: a list has little room."""
        return cause_link(event_id=movement.event_id, actor_id=movement.actor_id, brief=True)

    @admin.display(description="caused by")
    def cause(self, movement: Movement) -> str:
        return cause_link(event_id=movement.event_id, actor_id=movement.actor_id)
