"""Inventory's tables and their constraints.

Stock says how much there is and how much of it is promised. Every change of those two figures is a Movement, so they
are at any moment the sums of their movements, and what is promised is the sum of the active reservations.
`operations.find_drift` checks both.
"""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from uuid_utils.compat import uuid7

#: What other services may know of a product; a change of any of these is a new version.
ANNOUNCED = ("name", "price", "currency", "active")

#: For SKUs and location codes, which stand in addresses and in files.
code_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
)


class ProductQuerySet(models.QuerySet["Product"]):
    """Products, and what more can be asked of them."""

    def with_available(self) -> "ProductQuerySet":
        """Each with `available`, the units that can still be promised: a subquery, so that a page sums only its own."""
        shelf = Stock.objects.filter(product=OuterRef("pk"), location__active=True).values("product")
        units = shelf.annotate(units=Sum(F("on_hand") - F("reserved"))).values("units")
        return self.annotate(available=Coalesce(Subquery(units), 0, output_field=models.BigIntegerField()))


class Product(models.Model):
    """Something that is for sale. Each change counts `version` up and is announced by signals.py."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sku = models.CharField("SKU", max_length=64, unique=True, validators=[code_validator])
    name = models.CharField(max_length=200)
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
        constraints = (models.CheckConstraint(condition=Q(price__gte=0), name="inventory_product_price_not_negative"),)
        # Nearly all are active and met at every step; migration 0004 has one on the words of names besides.
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
        """Save a new version, in one transaction with its announcement; do nothing when nothing has changed.

        Raises:
            ValidationError: the SKU of a product that exists is another one now.
        """
        # post_save of a plain save() fires after its commit: the event would not be part of the transaction.
        with transaction.atomic(using=using):
            stored = Product.objects.using(using).select_for_update().filter(pk=self.pk).first()
            if stored is not None and stored.sku != self.sku:
                raise ValidationError(
                    {"sku": f"{stored.sku} keeps its SKU: add a new product and deactivate this one."}
                )
            changing = ANNOUNCED if update_fields is None else tuple(set(ANNOUNCED) & set(update_fields))
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
    name = models.CharField(max_length=200)
    priority = models.IntegerField(default=0, help_text="Orders are filled from the lowest number first.")
    active = models.BooleanField(default=True, help_text="Whether orders are filled from it.")

    class Meta:
        ordering = ("priority", "id")

    def __str__(self) -> str:
        return self.code


class Stock(models.Model):
    """How much of a product is at a location, and how much of that is promised to orders.

    The row is locked while its figures change, and several rows in the order of their ids.
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
                condition=Q(reserved__gte=0, reserved__lte=F("on_hand")), name="inventory_stock_reserved_within_on_hand"
            ),
        )

    def __str__(self) -> str:
        return f"{self.product.sku} at {self.location.code}"

    @property
    def available(self) -> int:
        """What can still be promised."""
        return self.on_hand - self.reserved


class Allocation(models.Model):
    """What inventory decided about an order; at most one per order, which makes a repeated event harmless.

    A cancel that comes before its order leaves one in state `cancelled`, so that the order finds it and reserves
    nothing.
    """

    class State(models.TextChoices):
        RESERVED = "reserved"
        REJECTED = "rejected"
        CANCELLED = "cancelled"

    order_id = models.UUIDField(primary_key=True)
    state = models.CharField(max_length=20, choices=State.choices)
    #: The event that brought it into this state.
    event_id = models.UUIDField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=["reserved", "rejected", "cancelled"]), name="inventory_allocation_state_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class Reservation(models.Model):
    """Units at one location that are kept for an order."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RELEASED = "released"

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="reservations")
    # Only the active ones are ever looked for by stock; they have an index of their own. PostgreSQL: no foreign key.
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    quantity = models.BigIntegerField()
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE, db_default=State.ACTIVE)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_reservation_quantity_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["active", "released"]), name="inventory_reservation_state_known"
            ),
            models.UniqueConstraint(
                fields=["allocation", "stock"], condition=Q(state="active"), name="inventory_reservation_once"
            ),
        )
        indexes = (models.Index(fields=["stock"], condition=Q(state="active"), name="inventory_reservation_active"),)

    def __str__(self) -> str:
        return f"{self.quantity} for {self.allocation_id}"


class Movement(models.Model):
    """One change of a stock row's figures: the ledger. Append-only by triggers of the database (migration 0002)."""

    class Kind(models.TextChoices):
        RECEIVED = "received"
        ADJUSTED = "adjusted"
        TRANSFERRED = "transferred"
        RESERVED = "reserved"
        RELEASED = "released"

    # A serial number: within a stock row, whose lock is held while they are written, the order of the changes.
    id = models.BigAutoField(primary_key=True)
    # The index that the ledger is read by begins with the stock. PostgreSQL has no foreign key here, which would look
    # at each of the row's versions that an old snapshot keeps, for each movement: migration 0006 has its stand-in.
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="movements", db_index=False)
    # No CHECK on the kind: each new one would remake this table on SQLite, and a remake drops the triggers.
    kind = models.CharField(max_length=20, choices=Kind.choices)
    on_hand_delta = models.BigIntegerField()
    reserved_delta = models.BigIntegerField()
    #: What the row said afterwards. Where these leave the running sums of the deltas, somebody bypassed the ledger.
    on_hand_after = models.BigIntegerField()
    reserved_after = models.BigIntegerField()
    order_id = models.UUIDField(null=True, blank=True)
    #: The cause: an event, or the person who did it, or at least a reason.
    event_id = models.UUIDField(null=True, blank=True)
    actor_id = models.UUIDField(null=True, blank=True)
    reason = models.TextField(blank=True, default="", db_default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(on_hand_delta=0, reserved_delta=0), name="inventory_movement_moves_something"
            ),
            models.CheckConstraint(
                condition=Q(event_id__isnull=False) | Q(actor_id__isnull=False) | ~Q(reason=""),
                name="inventory_movement_names_its_cause",
            ),
        )
        indexes = (
            models.Index(fields=["stock", "id"], name="inventory_movement_stock"),
            models.Index(fields=["order_id"], condition=Q(order_id__isnull=False), name="inventory_movement_order"),
            models.Index(fields=["event_id"], condition=Q(event_id__isnull=False), name="inventory_movement_event"),
            # A list of one kind. Reservations are most of the ledger: a list of them finds one at every step.
            models.Index(
                fields=["kind", "id"],
                condition=Q(kind__in=["received", "adjusted", "transferred", "released"]),
                name="inventory_movement_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_delta:+} on hand, {self.reserved_delta:+} reserved"
