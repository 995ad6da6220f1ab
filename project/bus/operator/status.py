"""Counts of the bus's tables and queues."""

from typing import Any

from celery import current_app
from django.db import models
from django.db.models import Count, Max, Min
from django.db.models.functions import Now

from ..backends import backend
from ..errors import BrokerUnavailable
from ..models import Delivery, Event, Receipt, Subscription
from ..states import OWED, UNSETTLED, in_any
from .health import bells_waiting

#: Above this many rows a total is the database's estimate, because counting millions of rows takes seconds.
MAX_COUNTED = 100_000
UNUSABLE = "cannot be used"


def bus_status() -> dict[str, Any]:
    """What the bus owes, how old the oldest unsettled event is in seconds, and how many bells wait in each queue.

    A queue's count is None if the broker does not answer, or a text that says so if the broker answers but the queue
    cannot be used. The figures are of slightly different moments.
    """
    unsettled = in_any(*UNSETTLED)
    counts = Delivery.objects.aggregate(
        scheduled=Count("event_id", distinct=True, filter=OWED["scheduled"].condition),
        unsettled=Count("event_id", distinct=True, filter=unsettled),
        oldest=Min("event__time", filter=unsettled),
        now=Max(Now()),
        **{state: Count("id", filter=OWED[state].condition) for state in ("retrying", "waiting", "dead")},
    )
    oldest, now = counts["oldest"], counts["now"]
    return {
        "events": {"total": _total(Event), "scheduled": counts["scheduled"], "unsettled": counts["unsettled"]},
        "oldest_unsettled_s": round((now - oldest).total_seconds(), 3) if oldest else 0.0,
        "deliveries": {
            "done": _total(Receipt),
            "retrying": counts["retrying"],
            "waiting": counts["waiting"],
            "dead": counts["dead"],
        },
        "handlers": {
            "paused": sorted(set(Subscription.objects.filter(paused=True).values_list("handler", flat=True))),
            "circuit_open": {
                row.handler: row.open_until.isoformat()
                for row in Subscription.objects.filter(open_until__gt=Now())
                if row.open_until
            },
        },
        "queues": queue_lengths(),
    }


def queue_lengths() -> dict[str, int | str | None]:
    """How many bells wait in each queue that is declared or subscribed, as `bus_status` says it."""
    queues = sorted({*current_app.amqp.queues, *Subscription.objects.values_list("queue", flat=True)})
    try:
        waiting = bells_waiting(current_app, queues=queues)
    except BrokerUnavailable:
        return dict.fromkeys(queues)
    return {queue: UNUSABLE if number is None else number for queue, number in waiting.items()}


def _total(model: type[models.Model]) -> int:
    if (estimate := backend().estimated_rows(model)) > MAX_COUNTED:
        return estimate
    return int(model._default_manager.count())
