"""Events in Django admin, with what happened to each at its handlers."""

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from .. import conf
from ..models import Delivery, Event
from ..operator.filters import TypeFilter
from ..states import LABELS
from .columns import named, subject
from .inlines import DeliveryInline, FailureInline, ReceiptInline
from .tables import NOTHING, ReadOnlyAdmin, link, list_link
from .theme import display


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events, newest first, because their ids grow with time."""

    list_display = ("type", "about", "handled", "time")
    list_filter = (TypeFilter,)
    search_fields = ("id", "subject", "correlation_id")
    search_help_text = "Id of an event or a chain, or a subject"
    ordering = ("-id",)
    fields = (
        *("type", "about", "others", "time", "id", "cause", "chain"),
        *("sequence", "version", "traceparent", "data"),
    )
    readonly_fields = fields
    inlines = (DeliveryInline, ReceiptInline, FailureInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return Event.objects.prefetch_related(Prefetch("deliveries", Delivery.objects.with_state()), "receipts")

    def get_inlines(self, request: HttpRequest, obj: Event | None) -> Any:
        """Leave out tables without rows."""
        return [inline for inline in self.inlines if inline.model.objects.filter(event=obj).exists()]

    @admin.display(description="about")
    def about(self, event: Event) -> str:
        return subject(event)

    @admin.display(description="also about")
    def others(self, event: Event) -> SafeString | str:
        """Links to the other objects that its data name."""
        pages = conf.admin_pages()
        others = [(name, link(pages[name], value)) for name, value in named(event) if str(value) != event.subject]
        return format_html_join("", "<div>{}: {}</div>", others) or NOTHING

    @display(description="handled", label=LABELS)
    def handled(self, event: Event) -> tuple[str, str] | None:
        """How many of its deliveries are in which state, labelled by the worst."""
        counts = Counter(receipt.outcome for receipt in event.receipts.all())
        counts.update(delivery.state for delivery in event.deliveries.all())
        here = [name for name in LABELS if counts[name]]
        return (here[0], ", ".join(f"{counts[name]} {name}" for name in here)) if here else None

    @admin.display(description="caused by")
    def cause(self, event: Event) -> str:
        return link("bus_event", event.causation_id)

    @admin.display(description="chain")
    def chain(self, event: Event) -> str:
        """A link to all events that followed from the same first event."""
        return list_link("bus_event", f"all events of {event.correlation_id}", q=event.correlation_id)
