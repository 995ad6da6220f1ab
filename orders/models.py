"""Orders and the graph that their status moves along, their history, and a copy of what is for sale."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Status(models.TextChoices):
    """Where an order stands."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    BACKORDERED = "backordered"
    REJECTED = "rejected"
    PAID = "paid"
    SHIPPED = "shipped"
    RETURNED = "returned"
    CANCELLED = "cancelled"


#: The only steps that a status can take. Back to backordered leads only a lost reservation.
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

LONGEST_SKU = 64
LONGEST_NAME = 200


class Order(models.Model):
    """What a customer asked for. Only operations.move() changes its status, and writes its history with it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    #: A user of another service, so an id and no foreign key.
    customer_id = models.UUIDField()
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PLACED)
    #: Counts the status changes under the row's lock: the sequence of the events about this order.
    version = models.PositiveIntegerField(default=1)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    #: Why it was rejected or cancelled.
    reason = models.TextField(blank=True, default="")
    #: Whether it is the one that greeted its customer.
    is_welcome = models.BooleanField("welcome order", default=False)
    placed_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(status__in=Status.values), name="orders_order_status_known"),
            models.CheckConstraint(condition=Q(total__gte=0), name="orders_order_total_not_negative"),
            models.UniqueConstraint(
                fields=["customer_id"], condition=Q(is_welcome=True), name="orders_order_one_welcome"
            ),
        )
        # A customer's list, newest first: ids grow with time.
        # A list of those in one status, newest first, too.
        indexes = (
            models.Index(fields=["customer_id", "-id"], name="orders_order_of_customer"),
            models.Index(fields=["status", "-id"], name="orders_order_in_status"),
        )

    def __str__(self) -> str:
        return str(self.pk)

    def remember_lines(self, lines: "Iterable[OrderLine]") -> None:
        """Have `lines.all()` give these, as if they had been prefetched."""
        known = self.lines.all()
        known._result_cache = list(lines)  # noqa: SLF001 - what prefetch_related() does, without the query
        self._prefetched_objects_cache = {"lines": known}

    def may_become(self, status: Status) -> bool:
        """Whether the graph has a step from here to there."""
        return status in TRANSITIONS[Status(self.status)]


class OrderLine(models.Model):
    """So many units of one product, at the price that it had when the order was placed."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    sku = models.CharField("SKU", max_length=LONGEST_SKU)
    name = models.CharField(max_length=LONGEST_NAME)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        constraints = (
            # Its index begins with the order, so the foreign key needs none of its own.
            models.UniqueConstraint(fields=["order", "sku"], name="orders_orderline_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_orderline_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="orders_orderline_price_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"

    @property
    def price(self) -> Decimal:
        """What the line costs."""
        return self.quantity * self.unit_price


class OrderChange(models.Model):
    """One step of an order's history: which status it took, when, and what or who caused it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="changes", db_index=False)
    #: The order's version that the step led to.
    sequence = models.PositiveIntegerField()
    #: Empty for the first.
    from_status = models.CharField(max_length=20, choices=Status.choices, blank=True)
    to_status = models.CharField(max_length=20, choices=Status.choices)
    at = models.DateTimeField(db_default=Now())
    #: The event that caused it, if one did.
    event_id = models.UUIDField(null=True, blank=True)
    #: The user who caused it, if one did.
    actor_id = models.UUIDField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order", "sequence"], name="orders_orderchange_once"),)

    def __str__(self) -> str:
        return f"{self.sequence}: {self.from_status or 'new'} to {self.to_status}"


class CatalogueItem(models.Model):
    """What orders needs to know of a product: a copy, kept by ProductChanged events."""

    sku = models.CharField("SKU", max_length=LONGEST_SKU, primary_key=True)
    name = models.CharField(max_length=LONGEST_NAME)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    active = models.BooleanField()
    #: The product's version that this copies; an older one never wins.
    sequence = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"
