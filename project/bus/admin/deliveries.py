"""Deliveries and receipts in Django admin. Dead letters can be retried here."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ..models import Delivery, Receipt
from ..operator import dead_letters, selectors
from ..operator.filters import HandlerFilter, StateFilter
from ..states import LABELS
from .columns import EVENTS, due, event_link, moment, subject, traceback
from .tables import NOTHING, ReadOnlyAdmin, list_link
from .theme import display, go_to, object_action


def retry_by(request: HttpRequest, *, ids: list[int]) -> int:
    """Retry dead letters on behalf of the user. Return how many were dead."""
    return dead_letters.retry(query=dead_letters.DeadLetterQuery(ids=ids), actor=str(request.user.pk))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Deliveries that are still owed, dead letters included."""

    list_display = ("handler", "labelled_state", event_link, "about", "attempts", "due")
    list_filter = (StateFilter, HandlerFilter)
    list_disable_select_all = False
    # One statement retries them all. `manage.py bus dead-letters` retries any number.
    max_action_rows = 1000
    search_fields = ("event_id", "id")
    search_help_text = "Id of an event, or number of a delivery"
    ordering = ("-id",)
    fields = (
        *("handler", "labelled_state", "waits_for", event_link, "about"),
        *("attempts", "due", "dead_at", "id", "failures"),
    )
    readonly_fields = fields
    actions = ("retry_dead_letters",)
    actions_detail = ("retry",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.with_state().prefetch_related(EVENTS)

    @display(description="state", label=LABELS)
    def labelled_state(self, delivery: Delivery) -> str:
        return delivery.state

    @admin.display(description="about")
    def about(self, delivery: Delivery) -> str:
        return subject(delivery.event)

    def due(self, delivery: Delivery) -> str:
        return due(delivery)

    @admin.display(description="failures")
    def failures(self, delivery: Delivery) -> SafeString | str:
        """The tracebacks of its failed attempts, newest first."""
        shown = (
            (failure.attempt, moment(failure.failed_at), failure.worker, traceback(failure))
            for failure in selectors.failures(delivery.pk)
        )
        return format_html_join("", '<p class="font-semibold mt-4">attempt {}, {}, {}</p>{}', shown) or NOTHING

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """A user who may change deliveries may retry them."""
        return request.user.has_perm("bus.change_delivery")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer a retry for dead letters only."""
        delivery = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if delivery and delivery.dead_at else []

    @object_action(
        title="Retry",
        description="The event becomes due for its handler again, now and with all its attempts.",
        permissions=["retry"],
        icon="replay",
    )
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Owe one dead letter again, and go to its event, which will show its receipt."""
        delivery = self.get_object(request, object_id)
        if delivery is None:
            self.message_user(request, "That delivery is no longer owed.", messages.WARNING)
            return go_to(reverse("admin:bus_delivery_changelist"))
        if retry_by(request, ids=[delivery.pk]):
            self.message_user(request, f"Due again, now: {delivery.handler}.", messages.SUCCESS)
        else:
            self.message_user(request, f"Not dead, so left alone: {delivery.handler}.", messages.WARNING)
        return go_to(reverse("admin:bus_event_change", args=[delivery.event_id]))

    @admin.action(description="Retry dead letters", permissions=["retry"])
    def retry_dead_letters(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Owe the selected dead letters again."""
        selected = retried = 0
        for ids in dead_letters.in_chunks(queryset):
            selected, retried = selected + len(ids), retried + retry_by(request, ids=ids)
        if retried:
            self.message_user(request, f"Due again: {retried}.", messages.SUCCESS)
        if retried < selected:
            self.message_user(request, f"Not dead, so left alone: {selected - retried}.", messages.WARNING)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    """Deliveries that are done or discarded, newest first."""

    list_display = ("handler", "labelled_outcome", event_link, "attempts", "settled_at", "worker")
    search_fields = ("event_id", "delivery_id")
    search_help_text = "Id of an event, or number of a delivery"
    ordering = ("-delivery_id",)
    fields = ("handler", "labelled_outcome", event_link, "attempts", "settled_at", "worker", "delivery_id", "failures")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        return Receipt.objects.prefetch_related(EVENTS)

    @display(description="outcome", label=LABELS)
    def labelled_outcome(self, receipt: Receipt) -> str:
        return receipt.outcome

    def failures(self, receipt: Receipt) -> str:
        """A link to the failed attempts before it."""
        return list_link("bus_failure", "failed attempts", q=receipt.pk)
