"""Several workers at one handler, each with a connection of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from project.bus.consumer import answer_bell
from project.bus.models import Delivery, Receipt
from project.bus.outbox import publish
from tests.bus.events import Pinged

WORKERS, EVENTS = 4, 6000


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_workers_side_by_side_take_nothing_from_one_another(subscribed):
    def take(events):
        pass

    handler = subscribed(take, Pinged, batch=True)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(EVENTS)))

    def work(_: int) -> None:
        try:
            while Delivery.objects.exists():
                answer_bell(handler)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    assert Receipt.objects.count() == EVENTS
    # Whatever was tried twice was taken over from a worker that was still at it.
    assert set(Receipt.objects.values_list("attempts", flat=True)) == {1}
