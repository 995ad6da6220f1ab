"""The bus's tables: events, subscriptions, deliveries that are owed, receipts of those that are done, and failures.

Each delivery id is in exactly one of Delivery and Receipt. Deliveries are few and short-lived, receipts only grow: the
cost of a claim depends on the deliveries that wait, not on those that are done (docs/adr/0003).
"""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from .states import DeliveryQuerySet


class Bytewise(models.Func):
    """A column of text as an index compares it by its bytes, whatever the database's collation.

    PostgreSQL does not consider such an index for a comparison in the column's own collation. SQLite compares bytes
    anyway.
    """

    template = "%(expressions)s"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='%(expressions)s COLLATE "C"', **context)


class Event(models.Model):
    """A published event: append-only, never updated. Its columns are CloudEvents attributes."""

    id = models.UUIDField(primary_key=True, editable=False)
    type = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField(default=1)
    subject = models.CharField(max_length=200)
    sequence = models.BigIntegerField(null=True, blank=True)
    time = models.DateTimeField(db_default=Now())
    data = models.JSONField()
    correlation_id = models.UUIDField()
    causation_id = models.UUIDField(null=True, blank=True)
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")

    class Meta:
        indexes = (
            models.Index(fields=["subject", "id"], name="bus_event_subject"),
            models.Index(fields=["correlation_id"], name="bus_event_correlation"),
            models.Index(fields=["type", "id"], name="bus_event_type"),
        )

    def __str__(self) -> str:
        return f"{self.subject} {self.type}"


class Subscription(models.Model):
    """A handler that is owed every event of a type. `migrate` writes these rows from the handlers in the code."""

    event_type = models.CharField(max_length=100)
    handler = models.CharField(max_length=100, db_index=True)
    queue = models.CharField(max_length=50)
    #: Whether new events are owed to the handler.
    active = models.BooleanField(default=True)
    #: While it is set, the handler gets no bells and its deliveries wait.
    paused = models.BooleanField(default=False)
    #: The circuit breaker, the same in all rows of a handler: single failures since its last success, ...
    failures = models.PositiveIntegerField(default=0, db_default=0)
    #: ... how often the circuit has opened since then, and until when it is open; null while it is closed.
    openings = models.PositiveIntegerField(default=0, db_default=0)
    open_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["event_type", "handler"], name="bus_subscription_once"),)

    def __str__(self) -> str:
        return f"{self.handler} on {self.event_type}"


class Delivery(models.Model):
    """An event that is still owed to a handler. The row is deleted when it is done."""

    # No database constraint: one transaction inserts event and deliveries, and pruning deletes only events without
    # deliveries, so a check on each insert finds nothing.
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries"
    )
    handler = models.CharField(max_length=100)
    #: When it can be claimed next. A claim adds the lease, a failure the backoff.
    due_at = models.DateTimeField()
    #: Claims so far. They are counted before the handler runs, so that a handler that kills its process is counted.
    attempts = models.PositiveIntegerField(default=0)
    dead_at = models.DateTimeField(null=True, blank=True)
    #: The signature of its last failure, to find dead letters by; empty if it has not failed.
    signature = models.CharField(max_length=64, blank=True, default="", db_default="")
    #: The event type and version that no worker so far could read; empty otherwise, and while it is claimed.
    waits_for = models.CharField(max_length=120, blank=True, default="", db_default="")

    #: One of states.OWED; only `Delivery.objects.with_state()` sets it.
    state: str

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        # Its index is of no use to find a handler's deliveries (docs/adr/0014).
        constraints = (models.UniqueConstraint("event", Bytewise("handler"), name="bus_delivery_once"),)
        indexes = (
            # One for each kind of claim, in exactly its order.
            models.Index(
                fields=["handler", "due_at", "id"],
                name="bus_delivery_fresh",
                condition=models.Q(attempts=0, dead_at=None),
            ),
            models.Index(
                fields=["handler", "due_at", "id"],
                name="bus_delivery_retried",
                condition=models.Q(attempts__gt=0, dead_at=None),
            ),
            models.Index(fields=["dead_at", "id"], name="bus_delivery_dead", condition=models.Q(dead_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.event_id} owed to {self.handler}"


class Receipt(models.Model):
    """Proof that a delivery is done, written in its handler's transaction: the inbox. Append-only."""

    class Outcome(models.TextChoices):
        DONE = "done"
        DISCARDED = "discarded"

    delivery_id = models.BigIntegerField(primary_key=True)
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="receipts")
    handler = models.CharField(max_length=100)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    attempts = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    settled_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=["settled_at"], name="bus_receipt_settled"),)

    def __str__(self) -> str:
        return f"{self.event_id} {self.outcome} by {self.handler}"


class FailureCount(models.Model):
    """How often a handler failed with one error at one place. Only the latest attempts are kept as `Failure`."""

    signature = models.CharField(max_length=64, primary_key=True)
    handler = models.CharField(max_length=100)
    error = models.CharField(max_length=200)
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=["last_at"], name="bus_failure_count_last"),)

    def __str__(self) -> str:
        return f"{self.error} in {self.handler} ({self.count})"


class Failure(models.Model):
    """One failed attempt to handle one delivery."""

    # No foreign key: the delivery may be a receipt by now.
    delivery_id = models.BigIntegerField(db_index=True)
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="failures")
    handler = models.CharField(max_length=100)
    attempt = models.PositiveIntegerField()
    error = models.CharField(max_length=200)
    #: Equal for failures with the same error at the same place.
    signature = models.CharField(max_length=64)
    traceback = models.TextField()
    worker = models.CharField(max_length=100)
    failed_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (
            models.Index(fields=["signature", "failed_at"], name="bus_failure_signature"),
            models.Index(fields=["failed_at"], name="bus_failure_failed"),
        )

    def __str__(self) -> str:
        return f"{self.error} in {self.handler}"


class RefusedMessage(models.Model):
    """How many messages of a queue the guard refused for one reason, and a sample of them."""

    queue = models.CharField(max_length=50)
    reason = models.CharField(max_length=100)
    count = models.PositiveBigIntegerField()
    #: The beginning of the latest one, with unprintable characters escaped.
    sample = models.TextField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=["queue", "reason"], name="bus_refused_once"),)

    def __str__(self) -> str:
        return f"{self.queue}: {self.reason} ({self.count})"


class AuditEntry(models.Model):
    """An action of an operator, such as a replay: who, when, what, and its result. Append-only."""

    at = models.DateTimeField(db_default=Now())
    #: An account's id, or for a command the user's name on the machine.
    actor = models.CharField(max_length=100)
    #: replay, retry, discard, pause, resume, prune or retire.
    action = models.CharField(max_length=20)
    #: The arguments, such as {"handler": ..., "since": ...}.
    request = models.JSONField()
    #: The result, such as {"deliveries": 12}.
    outcome = models.JSONField()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=["at"], name="bus_audit_at"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"
