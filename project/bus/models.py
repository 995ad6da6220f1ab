"""The bus's tables: events, who is subscribed, what is owed, what is done, and what went wrong.

Every delivery id that ever was is in exactly one of Delivery and Receipt. Deliveries are small and short-lived,
receipts only ever grow: so a claim costs what is waiting, not what has been (docs/adr/0003).
"""

from django.db import models
from django.db.models.functions import Now


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
            models.Index(fields=["subject", "id"], name="event_subject"),
            models.Index(fields=["correlation_id"], name="event_correlation"),
            models.Index(fields=["type", "id"], name="event_type"),
        )

    def __str__(self) -> str:
        return f"{self.subject} {self.type}"


class Subscription(models.Model):
    """A handler that is owed every event of a type. Written from the code's registry after each migrate."""

    event_type = models.CharField(max_length=100)
    handler = models.CharField(max_length=100, db_index=True)
    queue = models.CharField(max_length=50)
    #: Whether new events are owed to the handler.
    active = models.BooleanField(default=True)
    #: While it is set the handler is neither rung nor claimed for; what it is owed waits.
    paused = models.BooleanField(default=False)
    #: The circuit breaker, the same in all rows of a handler: single failures since its last success, ...
    failures = models.PositiveIntegerField(default=0, db_default=0)
    #: ... rests since then, and the end of the present rest; null while the circuit is closed.
    rests = models.PositiveIntegerField(default=0, db_default=0)
    rests_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["event_type", "handler"], name="subscription_once"),)

    def __str__(self) -> str:
        return f"{self.handler} on {self.event_type}"


class Delivery(models.Model):
    """An event that is still owed to a handler. The row leaves when it is done."""

    # No database constraint: event and delivery are inserted by one transaction, and only events without deliveries are
    # pruned, so a check on each insert would buy nothing.
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="deliveries"
    )
    handler = models.CharField(max_length=100)
    #: When it is to be claimed next. A claim moves it on by the lease, a failure by the backoff.
    due_at = models.DateTimeField()
    #: Claims so far; counted before the handler runs, so that one which kills its process is counted too.
    attempts = models.PositiveIntegerField(default=0)
    dead_at = models.DateTimeField(null=True, blank=True)
    #: That of its last failure, to find and retry dead letters by; empty when it has not failed.
    signature = models.CharField(max_length=64, blank=True, default="", db_default="")
    #: The event type and version that no worker which has looked at it knows yet; empty otherwise, and while claimed.
    waits_for = models.CharField(max_length=120, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["event", "handler"], name="delivery_once"),)
        indexes = (
            # In exactly the order of the claim, one for each kind of claim.
            models.Index(
                fields=["handler", "due_at", "id"], name="delivery_fresh", condition=models.Q(attempts=0, dead_at=None)
            ),
            models.Index(
                fields=["handler", "due_at", "id"],
                name="delivery_tried",
                condition=models.Q(attempts__gt=0, dead_at=None),
            ),
            models.Index(fields=["dead_at", "id"], name="delivery_dead", condition=models.Q(dead_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.event_id} owed to {self.handler}"


class Receipt(models.Model):
    """Proof that a delivery is done, written in its handler's own transaction: the inbox. Append-only."""

    class Outcome(models.TextChoices):
        DONE = "done"
        DISCARDED = "discarded"

    delivery_id = models.BigIntegerField(primary_key=True)
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="receipts")
    handler = models.CharField(max_length=100)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    attempts = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=["ended_at"], name="receipt_ended"),)

    def __str__(self) -> str:
        return f"{self.event_id} {self.outcome} by {self.handler}"


class FailureCount(models.Model):
    """How often a handler failed with one error at one place. Of the attempts themselves the latest few are kept."""

    signature = models.CharField(max_length=64, primary_key=True)
    handler = models.CharField(max_length=100)
    error = models.CharField(max_length=200)
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=["last_at"], name="failure_count_last"),)

    def __str__(self) -> str:
        return f"{self.error} in {self.handler} ({self.count})"


class Failure(models.Model):
    """One failed attempt to handle one delivery."""

    # A plain number: the delivery may be a receipt by now.
    delivery_id = models.BigIntegerField(db_index=True)
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="failures")
    handler = models.CharField(max_length=100)
    attempt = models.PositiveIntegerField()
    error = models.CharField(max_length=200)
    #: The same for failures of the same error at the same place, to group them by.
    signature = models.CharField(max_length=64)
    traceback = models.TextField()
    worker = models.CharField(max_length=100)
    failed_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (
            models.Index(fields=["signature", "failed_at"], name="failure_signature"),
            models.Index(fields=["failed_at"], name="failure_failed"),
        )

    def __str__(self) -> str:
        return f"{self.error} in {self.handler}"


class RefusedMessage(models.Model):
    """How many messages of a queue the guard refused for one reason, and a sample of them."""

    queue = models.CharField(max_length=50)
    reason = models.CharField(max_length=100)
    count = models.PositiveBigIntegerField()
    #: The beginning of the latest one, with what is not printable escaped.
    sample = models.TextField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=["queue", "reason"], name="refused_once"),)

    def __str__(self) -> str:
        return f"{self.queue}: {self.reason} ({self.count})"


class AuditEntry(models.Model):
    """What a person did to the bus by hand, such as a replay: who, when, what, and what came of it. Append-only."""

    at = models.DateTimeField(db_default=Now())
    #: An account's id, or the name that the machine knows whoever ran a command by.
    actor = models.CharField(max_length=100)
    #: The verb: replay, retry, discard, pause, resume, prune, retire.
    action = models.CharField(max_length=20)
    #: What it was asked to do, such as {"handler": ..., "since": ...}.
    request = models.JSONField()
    #: What it did, such as {"deliveries": 12}.
    outcome = models.JSONField()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=["at"], name="audit_at"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"
