"""The tables on an event's page in Django admin: its deliveries, receipts and failures."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import Delivery, Failure, Receipt
from .columns import due
from .tables import ReadOnly, link
from .theme import TabularInline


class EventInline(ReadOnly, TabularInline):
    """Rows of one event. The first column links to each row's page."""

    readonly_fields: ClassVar[tuple[str, ...]] = ("page",)
    extra = 0
    hide_title = True


class DeliveryInline(EventInline):
    """What is still owed."""

    model = Delivery
    fields = ("page", "state", "due", "attempts")
    readonly_fields = ("page", "state", "due")
    ordering = ("id",)

    @admin.display(description="handler")
    def page(self, delivery: Delivery) -> str:
        return link("bus_delivery", delivery.pk, delivery.handler)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.with_state()

    def state(self, delivery: Delivery) -> str:
        return delivery.state

    def due(self, delivery: Delivery) -> str:
        return due(delivery)


class ReceiptInline(EventInline):
    """What is done or discarded."""

    model = Receipt
    fields = ("page", "outcome", "attempts", "settled_at", "worker")
    ordering = ("delivery_id",)

    @admin.display(description="handler")
    def page(self, receipt: Receipt) -> str:
        return link("bus_receipt", receipt.pk, receipt.handler)


class FailureInline(EventInline):
    """Failed attempts."""

    model = Failure
    fields = ("page", "handler", "attempt", "failed_at")
    ordering = ("-id",)

    @admin.display(description="error")
    def page(self, failure: Failure) -> str:
        """A link to the traceback."""
        return link("bus_failure", failure.pk, failure.error)
