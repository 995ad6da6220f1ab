"""Subscriptions and the audit in Django admin."""

import msgspec
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now

from ..models import AuditEntry, Subscription
from .actors import ShowsActors
from .columns import moment
from .tables import ReadOnlyAdmin
from .theme import display

LABELS = {"circuit open": "danger", "paused": "warning", "active": "success"}


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Which handler is owed which events, and whether it is paused or its circuit is open."""

    list_display = ("handler", "event_type", "queue", "state", "failures_in_a_row", "circuit_open_until")
    list_filter = ("queue", "active", "paused")
    search_fields = ("handler__startswith", "event_type__startswith")
    search_help_text = "The beginning of a handler's name or of an event type"
    ordering = ("handler", "event_type")
    fields = (
        *("handler", "event_type", "queue", "state"),
        *("failures_in_a_row", "times_opened", "circuit_open_until"),
    )
    readonly_fields = fields

    @display(description="state", label=LABELS)
    def state(self, subscription: Subscription) -> str:
        """Whether new events are owed to the handler, and whether it gets them now."""
        if not subscription.active:
            return "retired"
        if subscription.paused:
            return "paused"
        return "circuit open" if subscription.open_until and subscription.open_until > now() else "active"

    @admin.display(description="failures in a row")
    def failures_in_a_row(self, subscription: Subscription) -> int:
        return subscription.failures

    @admin.display(description="times opened")
    def times_opened(self, subscription: Subscription) -> int:
        """How often the circuit has opened since the last success."""
        return subscription.openings

    @admin.display(description="open until")
    def circuit_open_until(self, subscription: Subscription) -> str:
        return moment(subscription.open_until)


@admin.register(AuditEntry)
class AuditEntryAdmin(ShowsActors):
    """The actions of operators, newest first."""

    list_display = ("action", "actor_link", "at", "result")
    ordering = ("-at", "-id")
    fields = ("action", "actor_link", "at", "arguments", "result")
    readonly_fields = fields

    @admin.display(description="asked")
    def arguments(self, entry: AuditEntry) -> SafeString:
        return _members(entry.request)

    @admin.display(description="did")
    def result(self, entry: AuditEntry) -> SafeString:
        return _members(entry.outcome)


def _members(members: dict[str, object]) -> SafeString:
    text = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in members.items())
    return format_html('<span style="overflow-wrap: anywhere">{}</span>', text or "-")
