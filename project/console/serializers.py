"""Events and deliveries as JSON."""

from typing import Any

from rest_framework import serializers

from project.api.serializers import BoundedListField, StrictIntegerField, StrictSerializer

#: Dead letters that one call retries.
MAX_RETRIED = 1000


class EventSerializer(serializers.Serializer[Any]):
    """An event. It has ids, but no names or e-mail addresses of people."""

    id = serializers.UUIDField(read_only=True)
    type = serializers.CharField(max_length=100, read_only=True)
    version = serializers.IntegerField(read_only=True)
    subject = serializers.CharField(max_length=200, read_only=True, help_text="The id of what the event is about.")
    sequence = serializers.IntegerField(read_only=True, allow_null=True, help_text="The version of the subject.")
    time = serializers.DateTimeField(read_only=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]
    correlation_id = serializers.UUIDField(read_only=True, help_text="The same for all events that follow from one.")
    causation_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="The event that caused it.")


class DeliverySerializer(serializers.Serializer[Any]):
    """The delivery of an event to a handler."""

    id = serializers.IntegerField(read_only=True)
    event_id = serializers.UUIDField(read_only=True)
    event_type = serializers.CharField(max_length=100, read_only=True)
    subject = serializers.CharField(max_length=200, read_only=True, help_text="The id of what the event is about.")
    handler = serializers.CharField(max_length=100, read_only=True)
    state = serializers.ChoiceField(
        choices=("due", "scheduled", "retrying", "waiting", "dead", "done", "discarded"), read_only=True
    )
    attempts = serializers.IntegerField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Null if it is settled.")
    settled_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it became done, discarded or dead."
    )


class FailureSerializer(serializers.Serializer[Any]):
    """One failed attempt."""

    attempt = serializers.IntegerField(read_only=True)
    error = serializers.CharField(max_length=200, read_only=True)
    signature = serializers.CharField(
        max_length=64, read_only=True, help_text="The same for the same error in the same place."
    )
    traceback = serializers.CharField(read_only=True)
    worker = serializers.CharField(max_length=100, read_only=True)
    failed_at = serializers.DateTimeField(read_only=True)


class EventDetailSerializer(EventSerializer):
    """An event, with its delivery to each handler."""

    deliveries = DeliverySerializer(many=True, read_only=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery, with its failed attempts, latest first."""

    failures = FailureSerializer(many=True, read_only=True)


class RetrySerializer(StrictSerializer):
    """The dead letters to retry."""

    ids = BoundedListField(max_items=MAX_RETRIED, child=StrictIntegerField(min_value=1, max_value=2**63 - 1))


class RetriedSerializer(serializers.Serializer[Any]):
    """The number of dead deliveries that are due again, and of others, which are unchanged."""

    retried = serializers.IntegerField(read_only=True)
    left_alone = serializers.IntegerField(read_only=True)
