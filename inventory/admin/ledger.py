"""The ledger: every change of a stock figure, to be followed to its cause."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from inventory.models import Movement
from project.api.admin import ReadOnlyTable, cause_link, link

COLOURS = {
    Movement.Kind.RECEIVED: "success",
    Movement.Kind.ADJUSTED: "warning",
    Movement.Kind.TRANSFERRED: "info",
}


def figure(delta: int, after: int) -> str:
    """What a figure became, and by how much it changed if it did."""
    return f"{after:,} ({delta:+,})" if delta else f"{after:,}"


class KindFilter(admin.SimpleListFilter):
    """One kind of what people do, by an index of just that, or what was done for orders, which is nearly everything."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The kinds that people make, and the rest."""
        return [*((kind, kind) for kind in COLOURS), ("orders", "for orders")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Movement]) -> QuerySet[Movement]:
        """The movements of the chosen kind."""
        if self.value() == "orders":
            return queryset.filter(order_id__isnull=False)
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Movement)
class MovementAdmin(ReadOnlyTable):
    """The ledger, newest first."""

    list_display = ("id", "what", "stock", "on_hand", "reserved", "order", "by", "at")
    list_select_related = ("stock__product", "stock__location")
    list_filter = (KindFilter,)
    search_fields = ("order_id", "event_id")
    search_help_text = "Id of an order or of an event"
    ordering = ("-id",)
    fields = ("id", "what", "stock", "on_hand", "reserved", "order", "cause", "reason", "at")
    readonly_fields = ("what", "on_hand", "reserved", "order", "cause")

    @display(description="kind", label=COLOURS)
    def what(self, movement: Movement) -> str:
        """What was done."""
        return movement.kind

    @admin.display(description="on hand")
    def on_hand(self, movement: Movement) -> str:
        """By how much it changed, and to what."""
        return figure(movement.on_hand_delta, movement.on_hand_after)

    def reserved(self, movement: Movement) -> str:
        """By how much it changed, and to what."""
        return figure(movement.reserved_delta, movement.reserved_after)

    def order(self, movement: Movement) -> str:
        """A link to the order that it was for."""
        return link("orders_order", movement.order_id)

    @admin.display(description="caused by")
    def by(self, movement: Movement) -> str:
        """The same in a word, as a list has little room."""
        return cause_link(event_id=movement.event_id, actor_id=movement.actor_id, brief=True)

    @admin.display(description="caused by")
    def cause(self, movement: Movement) -> str:
        """A link to the event or person that caused it."""
        return cause_link(event_id=movement.event_id, actor_id=movement.actor_id)
