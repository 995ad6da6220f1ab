"""Failed attempts, counts of each error, and messages that the guard refused, in Django admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import Delivery, Failure, FailureCount, RefusedMessage
from .columns import EVENTS, event_link, traceback
from .tables import ReadOnlyAdmin, link, list_link


@admin.register(Failure)
class FailureAdmin(ReadOnlyAdmin):
    """Failed attempts with their tracebacks, newest first. Only the latest of each error at each place are kept."""

    list_display = ("error", "handler", "attempt", "failed_at")
    search_fields = ("event_id", "delivery_id", "signature")
    search_help_text = "Id of an event, number of a delivery, or a signature"
    ordering = ("-id",)
    fields = ("error", "handler", event_link, "delivery", "attempt", "failed_at", "worker", "alike", "trace")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Failure]:
        return Failure.objects.prefetch_related(EVENTS)

    def delivery(self, failure: Failure) -> str:
        """A link to the delivery or, once it is settled, to its receipt."""
        owed = Delivery.objects.filter(pk=failure.delivery_id).exists()
        return link("bus_delivery" if owed else "bus_receipt", failure.delivery_id)

    def alike(self, failure: Failure) -> str:
        """A link to the count of this error."""
        return link("bus_failurecount", failure.signature, "the same error at the same place")

    @admin.display(description="traceback")
    def trace(self, failure: Failure) -> SafeString:
        return traceback(failure)


@admin.register(FailureCount)
class FailureCountAdmin(ReadOnlyAdmin):
    """How often each handler failed with each error at each place, latest first."""

    list_display = ("error", "handler", "count", "last_at")
    search_fields = ("signature", "handler__startswith")
    search_help_text = "A signature, or the beginning of a handler's name"
    ordering = ("-last_at",)
    fields = ("error", "handler", "count", "first_at", "last_at", "signature", "latest")
    readonly_fields = fields

    def latest(self, row: FailureCount) -> str:
        """A link to the latest attempts with this error."""
        return list_link("bus_failure", "the latest attempts", q=row.signature)


@admin.register(RefusedMessage)
class RefusedMessageAdmin(ReadOnlyAdmin):
    """Messages on the broker that were not bells: how many of each queue were refused for which reason."""

    list_display = ("reason", "queue", "count", "last_at")
    ordering = ("-last_at", "-id")
    fields = ("reason", "queue", "count", "first_at", "last_at", "beginning")
    readonly_fields = fields

    @admin.display(description="sample")
    def beginning(self, row: RefusedMessage) -> SafeString:
        """The beginning of the latest one."""
        style = "white-space: pre-wrap; overflow-wrap: anywhere"
        return format_html('<pre class="text-xs" style="{}">{}</pre>', style, row.sample)
