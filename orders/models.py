"""Orders, the graph of their status, their history, and a copy of the products for sale."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Status(models.TextChoices):
    """The status of an order; TRANSITIONS has the graph."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    BACKORDERED = "backordered"
    REJECTED = "rejected"
    PAID = "paid"
    SHIPPED = "shipped"
    RETURNED = "returned"
    CANCELLED = "cancelled"


#: The only transitions that exist. Only a lost reservation leads back to `backordered`.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PLACED: frozenset({Status.CONFIRMED, Status.BACKORDERED, Status.REJECTED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.PAID, Status.BACKORDERED, Status.CANCELLED}),
    Status.BACKORDERED: frozenset({Status.CONFIRMED, Status.PAID, Status.CANCELLED}),
    Status.REJECTED: frozenset(),
    Status.PAID: frozenset({Status.SHIPPED, Status.BACKORDERED, Status.CANCELLED}),
    Status.SHIPPED: frozenset({Status.RETURNED}),
    Status.RETURNED: frozenset(),
    Status.CANCELLED: frozenset(),
}

#: An order in one of these is not paid, and holds stock or will.
OPEN_STATUSES = (Status.PLACED, Status.CONFIRMED, Status.BACKORDERED)

MAX_SKU_LENGTH = 64
MAX_NAME_LENGTH = 200


class Order(models.Model):
    """An order. Only `operations.transition()` changes its status, and writes its history at the same time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    #: No foreign key: users are another service.
    customer_id = models.UUIDField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PLACED)
    #: Counts the status changes, under the row's lock. Events about this order have it as their sequence.
    version = models.PositiveIntegerField(default=1)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    #: Why the order is rejected or cancelled, as its customer sees it.
    reason = models.TextField(blank=True, default="")
    #: A customer has at most one of these.
    is_welcome = models.BooleanField("welcome order", default=False)
    placed_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(status__in=Status.values), name="orders_order_status_known"),
            models.CheckConstraint(condition=Q(total__gte=0), name="orders_order_total"),
            models.UniqueConstraint(
                fields=["customer_id"], condition=Q(is_welcome=True), name="orders_order_one_welcome"
            ),
        )
        # For one customer's orders and for the orders in one status, newest first: ids grow with time.
        indexes = (
            models.Index(fields=["customer_id", "-id"], name="orders_order_of_customer"),
            models.Index(fields=["status", "-id"], name="orders_order_in_status"),
            # For the quotas of a customer, who may have many orders but few open ones.
            models.Index(fields=["customer_id"], condition=Q(status__in=OPEN_STATUSES), name="orders_order_open"),
        )

    def __str__(self) -> str:
        return str(self.pk)

    def set_prefetched_lines(self, lines: "Iterable[OrderLine]") -> None:
        """Make `lines.all()` return these without a query."""
        known = self.lines.all()
        known._result_cache = list(lines)  # noqa: SLF001 - as prefetch_related() does
        self._prefetched_objects_cache = {"lines": known}

    def can_become(self, status: Status) -> bool:
        """Tell whether the graph has a transition from the present status to `status`."""
        return status in TRANSITIONS[Status(self.status)]


class OrderLine(models.Model):
    """A quantity of one product, at its price when the order was placed."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    sku = models.CharField("SKU", max_length=MAX_SKU_LENGTH)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        constraints = (
            # Its index begins with the order, so the foreign key needs no index of its own.
            models.UniqueConstraint(fields=["order", "sku"], name="orders_orderline_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_orderline_quantity"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="orders_orderline_price"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"

    @property
    def price(self) -> Decimal:
        """The price of the whole line."""
        return self.quantity * self.unit_price


class OrderChange(models.Model):
    """One status change in an order's history: when it happened, and what or who caused it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="changes", db_index=False)
    #: The order's version after the change.
    sequence = models.PositiveIntegerField()
    #: Empty for the first entry.
    from_status = models.CharField(max_length=20, choices=Status.choices, blank=True)
    to_status = models.CharField(max_length=20, choices=Status.choices)
    at = models.DateTimeField(db_default=Now())
    #: The event that caused it, if any.
    event_id = models.UUIDField(null=True, blank=True)
    #: The user who caused it, if any.
    actor_id = models.UUIDField(null=True, blank=True)
    #: The customer does not see what staff write here.
    reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order", "sequence"], name="orders_orderchange_once"),)

    def __str__(self) -> str:
        return f"{self.sequence}: {self.from_status or 'new'} to {self.to_status}"


class CatalogueItem(models.Model):
    """This service's copy of a product, updated by ProductChanged events."""

    sku = models.CharField("SKU", max_length=MAX_SKU_LENGTH, primary_key=True)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    active = models.BooleanField()
    #: The version of the product that this is a copy of. An older version never replaces a newer one.
    sequence = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"
