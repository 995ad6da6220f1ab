"""What stands on an event's page in Django admin: what is owed, what is done, what went wrong."""

from django.contrib import admin
from django.utils.timezone import now
from unfold.admin import TabularInline

from .models import Delivery, Failure, Receipt
from .status import state_of
from .tables import ReadOnly, link


def state(delivery: Delivery) -> str:
    """Where a delivery stands, by this machine's clock."""
    return state_of(delivery, now=now())


class Of(ReadOnly, TabularInline):
    """Rows on their event's page, the first column leading to each."""

    readonly_fields: tuple[str, ...] = ("page",)
    extra = 0
    hide_title = True


class DeliveryInline(Of):
    """What an event still owes."""

    model = Delivery
    fields = ("page", "state", "due_at", "attempts")
    readonly_fields = ("page", "state")
    ordering = ("id",)

    @admin.display(description="handler")
    def page(self, delivery: Delivery) -> str:
        """A link to the delivery."""
        return link("bus_delivery", delivery.pk, delivery.handler)

    def state(self, delivery: Delivery) -> str:
        """Where it stands."""
        return state(delivery)


class ReceiptInline(Of):
    """What an event's handlers have done."""

    model = Receipt
    fields = ("page", "outcome", "attempts", "ended_at", "worker")
    ordering = ("delivery_id",)

    @admin.display(description="handler")
    def page(self, receipt: Receipt) -> str:
        """A link to the receipt."""
        return link("bus_receipt", receipt.pk, receipt.handler)


class FailureInline(Of):
    """What went wrong with an event."""

    model = Failure
    fields = ("page", "handler", "attempt", "failed_at")
    ordering = ("-id",)

    @admin.display(description="error")
    def page(self, failure: Failure) -> str:
        """A link to the traceback."""
        return link("bus_failure", failure.pk, failure.error)
