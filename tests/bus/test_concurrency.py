"""Several workers answer bells of one handler at the same time."""

import pytest
from django.db import connection, transaction

from project.bus import publish
from project.bus.backends.postgresql import PostgreSQL
from project.bus.models import Delivery, Receipt
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.threads import at_once

WORKERS, EVENTS = 4, 6000


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_concurrent_workers_never_claim_the_same_delivery(subscribed, monkeypatch):
    def take(events):
        pass

    # Otherwise another worker rightly takes over a batch that begins late.
    monkeypatch.setattr(PostgreSQL, "lease_s", 60.0)
    handler = subscribed(take, Pinged, batch=True)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(EVENTS)))

    def work() -> None:
        while Delivery.objects.exists():
            answer_bell(handler)

    at_once(*[work] * WORKERS)
    assert Receipt.objects.count() == EVENTS
    # A second attempt would mean that one worker took over what another was still handling.
    assert set(Receipt.objects.values_list("attempts", flat=True)) == {1}
