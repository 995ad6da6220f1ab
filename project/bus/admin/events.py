"""The bus in Django admin: to be read, each row linked to the others, and to have dead letters tried again."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from .. import audit, dead_letters, journal
from ..filters import HandlerFilter, StateFilter, TypeFilter
from ..inlines import DeliveryInline, FailureInline, Of, ReceiptInline, state
from ..models import Delivery, Event, Failure, Receipt
from ..tables import NOTHING, ReadOnlyTable, link, list_link

#: Which page of the admin shows what a field of an event names, such as {"order_id": "orders_order"}.
PAGES: dict[str, str] = getattr(settings, "BUS_ADMIN_PAGES", {})

#: The worst first, each with its colour.
STATES = {
    "dead": "danger",
    "waiting": "warning",
    "retrying": "warning",
    "due": "info",
    "scheduled": "info",
    "discarded": "warning",
    "done": "success",
}

# Not by a join: that would be made for all rows before a page, too.
EVENTS = Prefetch("event", Event.objects.only("type", "subject", "data"))

RETRY = ActionDialog(
    title="Try again",
    description="The event is owed to its handler once more, due now and with all attempts before it.",
    form_class=None,
    form_submit_text="Try again",
)


def traceback(failure: Failure) -> SafeString:
    """A traceback as it was printed, its lines broken anywhere if they must be, to fit a phone."""
    style = "white-space: pre-wrap; overflow-wrap: anywhere"
    return format_html('<pre class="text-xs" style="{}">{}</pre>', style, failure.traceback)


@admin.display(description="event")
def event_link(row: Delivery | Receipt | Failure) -> str:
    """A link to a row's event, by its type."""
    return link("bus_event", row.event_id, row.event.type)


@admin.register(Event)
class EventAdmin(ReadOnlyTable):
    """Events, newest first: their ids grow with time."""

    list_display = ("type", "about", "handled", "time")
    list_filter = (TypeFilter,)
    search_fields = ("id", "subject", "correlation_id")
    search_help_text = "Id of an event, a chain, or its subject"
    ordering = ("-id",)
    fields = (
        *("type", "about", "others", "time", "id", "cause", "chain"),
        *("sequence", "version", "traceparent", "data"),
    )
    readonly_fields = fields
    inlines = (DeliveryInline, ReceiptInline, FailureInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """With what became of each."""
        return Event.objects.prefetch_related("deliveries", "receipts")

    def get_inlines(self, request: HttpRequest, obj: Event | None) -> list[type[Of]]:
        """Only tables with something in them."""
        return [inline for inline in self.inlines if inline.model.objects.filter(event=obj).exists()]

    @admin.display(description="about")
    def about(self, event: Event) -> str:
        """A link to what it is about, where there is a page of that."""
        return subject(event)

    @admin.display(description="also about")
    def others(self, event: Event) -> SafeString | str:
        """Links to what else it names."""
        others = [(name, link(PAGES[name], value)) for name, value in named(event) if str(value) != event.subject]
        return format_html_join("", "<div>{}: {}</div>", others) or NOTHING

    @display(description="handled", label=STATES)
    def handled(self, event: Event) -> tuple[str, str] | None:
        """How many of its deliveries stand where, in the colour of the worst."""
        counts = Counter(receipt.outcome for receipt in event.receipts.all())
        counts.update(state(delivery) for delivery in event.deliveries.all())
        here = [name for name in STATES if counts[name]]
        return (here[0], ", ".join(f"{counts[name]} {name}" for name in here)) if here else None

    @admin.display(description="caused by")
    def cause(self, event: Event) -> str:
        """A link to the event that caused it."""
        return link("bus_event", event.causation_id)

    @admin.display(description="chain")
    def chain(self, event: Event) -> str:
        """A link to all that followed from the same first event."""
        return list_link("bus_event", f"all events of {event.correlation_id}", q=event.correlation_id)


def named(event: Event) -> list[tuple[str, Any]]:
    """What an event's data name that there is a page of: the fields with their values."""
    return [(name, value) for name, value in event.data.items() if name in PAGES]


def subject(event: Event) -> str:
    """A link to what an event is about, where there is a page of that."""
    field = next((name for name, value in named(event) if str(value) == event.subject), None)
    return link(PAGES[field], event.subject) if field else event.subject


def retry_by(request: HttpRequest, *, ids: list[int]) -> int:
    """Have dead letters tried again, and write down who did it; how many were dead."""
    with transaction.atomic():
        retried = dead_letters.retry(delivery_ids=ids)
        audit.record(actor=str(request.user.pk), action="retry", request={"ids": ids}, outcome={"deliveries": retried})
    return retried


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyTable):
    """What is owed. Dead letters wait here for a person."""

    list_display = ("handler", "stands", event_link, "about", "attempts", "due")
    list_filter = (StateFilter, HandlerFilter)
    list_disable_select_all = False
    search_fields = ("event_id", "id")
    search_help_text = "Id of an event, or number of a delivery"
    ordering = ("-id",)
    fields = ("handler", "stands", "waits_for", event_link, "about", "attempts", "due", "dead_at", "id", "failures")
    readonly_fields = fields
    actions = ("retry_dead_letters",)
    actions_detail = ("retry",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """With the events."""
        return Delivery.objects.prefetch_related(EVENTS)

    @display(description="state", label=STATES)
    def stands(self, delivery: Delivery) -> str:
        """Where it stands."""
        return state(delivery)

    @admin.display(description="about")
    def about(self, delivery: Delivery) -> str:
        """A link to what its event is about."""
        return subject(delivery.event)

    def due(self, delivery: Delivery) -> datetime | None:
        """When it is tried next; a dead letter is not."""
        return None if delivery.dead_at else delivery.due_at

    @admin.display(description="failures")
    def failures(self, delivery: Delivery) -> SafeString | str:
        """The tracebacks of its failed attempts, the latest first."""
        shown = (
            (failure.attempt, localize(localtime(failure.failed_at)), failure.worker, traceback(failure))
            for failure in journal.failures(delivery.pk)
        )
        return format_html_join("", '<p class="font-semibold mt-4">attempt {}, {}, {}</p>{}', shown) or NOTHING

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may change deliveries may have them tried again."""
        return request.user.has_perm("bus.change_delivery")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only a dead letter can be tried again by hand."""
        delivery = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if delivery and delivery.dead_at else []

    @action(description="Try again", permissions=["retry"], dialog=RETRY, icon="replay", variant=ActionVariant.PRIMARY)
    def retry(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Owe one dead letter again, and go to its event, where its receipt will be."""
        delivery = self.get_object(request, object_id)
        if delivery is None:
            self.message_user(request, "That delivery is no longer owed.", messages.WARNING)
            return HttpResponse(headers={"HX-Redirect": reverse("admin:bus_delivery_changelist")})
        if retry_by(request, ids=[delivery.pk]):
            self.message_user(request, f"Due again, now: {delivery.handler}.", messages.SUCCESS)
        else:
            self.message_user(request, f"Not dead, so left alone: {delivery.handler}.", messages.WARNING)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:bus_event_change", args=[delivery.event_id])})

    @admin.action(description="Try dead letters again", permissions=["retry"])
    def retry_dead_letters(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Owe the chosen dead letters again."""
        chosen = retried = 0
        for ids in dead_letters.in_chunks(queryset):
            chosen, retried = chosen + len(ids), retried + retry_by(request, ids=ids)
        if retried:
            self.message_user(request, f"Due again: {retried}.", messages.SUCCESS)
        if retried < chosen:
            self.message_user(request, f"Not dead, so left alone: {chosen - retried}.", messages.WARNING)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyTable):
    """What is done."""

    list_display = ("handler", "result", event_link, "attempts", "ended_at", "worker")
    search_fields = ("event_id", "delivery_id")
    search_help_text = "Id of an event, or number of a delivery"
    ordering = ("-delivery_id",)
    fields = ("handler", "result", event_link, "attempts", "ended_at", "worker", "delivery_id", "failures")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        """With the events."""
        return Receipt.objects.prefetch_related(EVENTS)

    @display(description="outcome", label=STATES)
    def result(self, receipt: Receipt) -> str:
        """How it ended."""
        return receipt.outcome

    def failures(self, receipt: Receipt) -> str:
        """A link to the attempts that failed before."""
        return list_link("bus_failure", "attempts that failed", q=receipt.pk)
