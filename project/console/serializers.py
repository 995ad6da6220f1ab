"""The event bus as JSON."""

from typing import Any

from rest_framework import serializers

from project.api.serializers import ShortListField, StrictSerializer, WholeNumberField

#: Dead letters tried again by one call.
MOST_RETRIED = 1000


class EventSerializer(serializers.Serializer[Any]):
    """An event. It carries ids, no e-mail addresses and no names of people."""

    id = serializers.UUIDField(read_only=True)
    type = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    subject = serializers.CharField(read_only=True, help_text="The id of what it is about.")
    sequence = serializers.IntegerField(read_only=True, allow_null=True, help_text="The version of what it is about.")
    time = serializers.DateTimeField(read_only=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]
    correlation_id = serializers.UUIDField(read_only=True, help_text="The same for all that followed from one event.")
    causation_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="The event that caused it.")


class DeliverySerializer(serializers.Serializer[Any]):
    """An event that is or was owed to a handler."""

    id = serializers.IntegerField(read_only=True)
    event_id = serializers.UUIDField(read_only=True)
    event_type = serializers.CharField(read_only=True)
    subject = serializers.CharField(read_only=True, help_text="The id of what the event is about.")
    handler = serializers.CharField(read_only=True)
    state = serializers.CharField(
        read_only=True, help_text="due, scheduled, retrying, waiting, dead, done or discarded."
    )
    attempts = serializers.IntegerField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Null when it has ended.")
    ended_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was done or discarded, or died."
    )


class FailureSerializer(serializers.Serializer[Any]):
    """One failed attempt."""

    attempt = serializers.IntegerField(read_only=True)
    error = serializers.CharField(read_only=True)
    signature = serializers.CharField(read_only=True, help_text="The same for the same error at the same place.")
    traceback = serializers.CharField(read_only=True)
    worker = serializers.CharField(read_only=True)
    failed_at = serializers.DateTimeField(read_only=True)


class EventDetailSerializer(EventSerializer):
    """An event, and what became of it at each of its handlers."""

    deliveries = DeliverySerializer(many=True, read_only=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery, and its failed attempts, the latest first."""

    failures = FailureSerializer(many=True, read_only=True)


class RetrySerializer(StrictSerializer):
    """Which dead letters are to be tried again."""

    ids = ShortListField(most=MOST_RETRIED, child=WholeNumberField(min_value=1, max_value=2**63 - 1))


class RetriedSerializer(serializers.Serializer[Any]):
    """How many were dead and are due now, and how many were not dead and so were left alone."""

    retried = serializers.IntegerField(read_only=True)
    left_alone = serializers.IntegerField(read_only=True)
