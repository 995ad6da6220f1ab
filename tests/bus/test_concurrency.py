"""Several workers at one handler, each with a connection of its own."""

import pytest
from django.db import connection, transaction

from project.bus import claims
from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Receipt
from project.bus.outbox import publish
from tests.bus.events import Pinged
from tests.threads import at_once

WORKERS, EVENTS = 4, 6000


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_workers_side_by_side_take_nothing_from_one_another(subscribed, monkeypatch):
    def take(events):
        pass

    # Else a batch that is slow to begin is rightly taken over.
    monkeypatch.setitem(claims.LEASE, "postgresql", 60.0)
    handler = subscribed(take, Pinged, batch=True)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(EVENTS)))

    def work() -> None:
        while Delivery.objects.exists():
            answer_bell(handler)

    at_once(*[work] * WORKERS)
    assert Receipt.objects.count() == EVENTS
    # Whatever was tried twice was taken over from a worker that was still at it.
    assert set(Receipt.objects.values_list("attempts", flat=True)) == {1}
