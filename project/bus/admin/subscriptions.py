"""Who is owed what, whether it pauses or rests, and what people did to the bus by hand."""

import msgspec
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from unfold.decorators import display

from ..models import AuditEntry, Subscription
from ..tables import ReadOnlyTable


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyTable):
    """Who is owed what."""

    list_display = ("handler", "event_type", "queue", "stands", "failures", "rests_until")
    list_filter = ("queue", "active", "paused")
    search_fields = ("handler__startswith", "event_type__startswith")
    search_help_text = "How a handler or event type begins"
    ordering = ("handler", "event_type")
    fields = ("handler", "event_type", "queue", "stands", "failures", "rests", "rests_until")
    readonly_fields = fields

    @display(description="state", label={"active": "success", "paused": "warning", "resting": "danger"})
    def stands(self, subscription: Subscription) -> str:
        """Whether new events are owed to the handler, and whether it is given them."""
        if not subscription.active:
            return "retired"
        if subscription.paused:
            return "paused"
        return "resting" if subscription.rests_until and subscription.rests_until > now() else "active"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyTable):
    """What people did to the bus by hand, the latest first."""

    list_display = ("action", "actor", "at", "what_came_of_it")
    ordering = ("-at", "-id")
    fields = ("action", "actor", "at", "what_was_asked", "what_came_of_it")
    readonly_fields = fields

    @admin.display(description="asked")
    def what_was_asked(self, entry: AuditEntry) -> SafeString:
        """The request."""
        return _members(entry.request)

    @admin.display(description="did")
    def what_came_of_it(self, entry: AuditEntry) -> SafeString:
        """The outcome."""
        return _members(entry.outcome)


def _members(members: dict[str, object]) -> SafeString:
    text = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in members.items())
    return format_html('<span style="overflow-wrap: anywhere">{}</span>', text or "-")
