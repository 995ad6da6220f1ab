"""Products, locations, stock, and the ledger of its changes.

A stock row has two figures: units on hand, and units reserved for orders. Every change of either is a Movement, so each
figure is the sum of its movements at any moment, and `reserved` is the sum of the active reservations.
`operations.find_drift` checks both.
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from uuid_utils.compat import uuid7

from project.audit.recording import AuditedQuerySet
from project.plain_text import validate_line

#: The fields that other services know. A change of any of them is a new version.
ANNOUNCED_FIELDS = ("name", "price", "currency", "active")

MIN_PRIORITY, MAX_PRIORITY = -32_768, 32_767

#: For SKUs and location codes, which appear in URLs and files.
code_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
)


class ProductQuerySet(AuditedQuerySet["Product"]):
    def with_available(self) -> "ProductQuerySet":
        """Annotate `available`, the units that can still be reserved. A subquery, so a page sums only its own rows."""
        shelf = Stock.objects.filter(product=OuterRef("pk"), location__active=True).values("product")
        units = shelf.annotate(units=Sum(F("on_hand") - F("reserved"))).values("units")
        return self.annotate(available=Coalesce(Subquery(units), 0, output_field=models.BigIntegerField()))


class Product(models.Model):
    """Something for sale. Each change increments `version` and is announced by signals.py."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sku = models.CharField("SKU", max_length=64, unique=True, validators=[code_validator])
    name = models.CharField(max_length=200, validators=[validate_line])
    price = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(0)])
    currency = models.CharField(
        max_length=3,
        default="EUR",
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", "Use the three capital letters of ISO 4217, as in EUR.")],
    )
    active = models.BooleanField(default=True, help_text="Whether it is for sale.")
    version = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("sku",)
        constraints = (models.CheckConstraint(condition=Q(price__gte=0), name="inventory_product_price"),)
        # Only a list of the inactive ones needs an index: nearly all are active. PostgreSQL has one on the words of
        # names as well (migrations).
        indexes = (models.Index(fields=["sku"], condition=Q(active=False), name="inventory_product_inactive"),)

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    def save(
        self,
        *,
        force_insert: bool | tuple[models.base.ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save a new version and publish its event in one transaction, unless no announced field has changed.

        Raises:
            ValidationError: the SKU of an existing product would change.
        """
        # A plain save() sends post_save after its commit: the event would not be part of the transaction.
        with transaction.atomic(using=using):
            stored = Product.objects.using(using).select_for_update().filter(pk=self.pk).first()
            if stored is not None and stored.sku != self.sku:
                raise ValidationError(
                    {"sku": f"The SKU {stored.sku} cannot change: add a new product and deactivate this one."}
                )
            changing = ANNOUNCED_FIELDS if update_fields is None else tuple(set(ANNOUNCED_FIELDS) & set(update_fields))
            if stored is not None and all(getattr(stored, name) == getattr(self, name) for name in changing):
                self.version = stored.version
                return
            self.version = stored.version + 1 if stored is not None else 1
            super().save(
                force_insert=force_insert,
                force_update=force_update,
                using=using,
                update_fields=None if update_fields is None else {*update_fields, "version", "changed_at"},
            )


class Location(models.Model):
    """A place that holds stock."""

    code = models.CharField(max_length=64, unique=True, validators=[code_validator])
    name = models.CharField(max_length=200, validators=[validate_line])
    priority = models.IntegerField(
        default=0,
        help_text="Orders are filled from the lowest number first.",
        validators=[MinValueValidator(MIN_PRIORITY), MaxValueValidator(MAX_PRIORITY)],
    )
    active = models.BooleanField(default=True, help_text="Whether orders are filled from it.")

    objects = AuditedQuerySet["Location"].as_manager()

    class Meta:
        ordering = ("priority", "id")

    def __str__(self) -> str:
        return self.code

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the location in the transaction that its audit is written in."""
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)


class Stock(models.Model):
    """The units of a product at a location, and how many of them are reserved for orders.

    The row is locked while its figures change; several rows are locked in the order of their ids.
    """

    # The unique constraint's index begins with the product.
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock", db_index=False)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="stock")
    on_hand = models.BigIntegerField(default=0, db_default=0)
    reserved = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "stock"
        constraints = (
            models.UniqueConstraint(fields=["product", "location"], name="inventory_stock_once"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("on_hand")), name="inventory_stock_within_on_hand"
            ),
        )

    def __str__(self) -> str:
        return f"{self.product.sku} at {self.location.code}"

    @property
    def available(self) -> int:
        """The units that can still be reserved."""
        return self.on_hand - self.reserved


class Allocation(models.Model):
    """The decision about an order. An order has at most one, which makes a repeated event harmless.

    A cancellation that arrives before its order writes a `cancelled` one, so that nothing is reserved for the order.
    """

    class State(models.TextChoices):
        RESERVED = "reserved"
        REJECTED = "rejected"
        CANCELLED = "cancelled"

    order_id = models.UUIDField(primary_key=True)
    state = models.CharField(max_length=20, choices=State.choices)
    #: The event that led to this state.
    event_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["reserved", "rejected", "cancelled"]), name="inventory_allocation_state"
            ),
        )

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class Reservation(models.Model):
    """Units at one location that are reserved for an order."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RELEASED = "released"

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="reservations")
    # Only active ones are looked up by stock; they have their own index. No foreign key (docs/adr/0015).
    stock = models.ForeignKey(
        Stock, on_delete=models.PROTECT, related_name="reservations", db_index=False, db_constraint=False
    )
    quantity = models.BigIntegerField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE, db_default=State.ACTIVE)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_reservation_quantity"),
            models.CheckConstraint(condition=Q(state__in=["active", "released"]), name="inventory_reservation_state"),
            models.UniqueConstraint(
                fields=["allocation", "stock"], condition=Q(state="active"), name="inventory_reservation_once"
            ),
        )
        indexes = (models.Index(fields=["stock"], condition=Q(state="active"), name="inventory_reservation_active"),)

    def __str__(self) -> str:
        return f"{self.quantity} for {self.allocation_id}"


class Movement(models.Model):
    """An entry of the ledger: one change of a stock row's figures. Triggers make the table append-only."""

    class Kind(models.TextChoices):
        RECEIVED = "received"
        ADJUSTED = "adjusted"
        TRANSFERRED = "transferred"
        RESERVED = "reserved"
        RELEASED = "released"

    # The order of the changes of a stock row, whose lock is held while they are written.
    id = models.BigAutoField(primary_key=True)
    # The index that the ledger is read by begins with the stock. No foreign key: for each movement it would pass all
    # versions of the stock row that an old snapshot keeps. Triggers keep stock rows with movements (docs/adr/0015).
    stock = models.ForeignKey(
        Stock, on_delete=models.PROTECT, related_name="movements", db_index=False, db_constraint=False
    )
    # No CHECK: each new kind would remake this table on SQLite, and a remake drops the triggers.
    kind = models.CharField(max_length=20, choices=Kind.choices)
    on_hand_delta = models.BigIntegerField()
    reserved_delta = models.BigIntegerField()
    #: The figures after the change. If they differ from the sums of the deltas, somebody bypassed the ledger.
    on_hand_after = models.BigIntegerField()
    reserved_after = models.BigIntegerField()
    order_id = models.UUIDField(null=True, blank=True)
    #: The cause: an event, a person, or at least a reason.
    event_id = models.UUIDField(null=True, blank=True)
    actor_id = models.UUIDField(null=True, blank=True)
    reason = models.TextField(blank=True, default="", db_default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(on_hand_delta=0, reserved_delta=0), name="inventory_movement_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(event_id__isnull=False) | Q(actor_id__isnull=False) | ~Q(reason=""),
                name="inventory_movement_has_cause",
            ),
        )
        indexes = (
            models.Index(fields=["stock", "id"], name="inventory_movement_stock"),
            models.Index(fields=["order_id"], condition=Q(order_id__isnull=False), name="inventory_movement_order"),
            models.Index(fields=["event_id"], condition=Q(event_id__isnull=False), name="inventory_movement_event"),
            # For the list of one kind. Most of the ledger are reservations, so their list needs no index.
            models.Index(
                fields=["kind", "id"],
                condition=Q(kind__in=["received", "adjusted", "transferred", "released"]),
                name="inventory_movement_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_delta:+} on hand, {self.reserved_delta:+} reserved"
