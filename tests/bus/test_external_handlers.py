"""Handlers that reach outside the database."""

import pytest
from django.db import connection, transaction

from project.bus import idempotency_key, publish
from project.bus.errors import NoDeliveryInHand
from project.bus.models import Delivery, Receipt
from project.bus.worker import claims
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import bus, make_due, until_settled


def test_an_external_handler_runs_outside_transactions_and_has_an_idempotency_key(transactional_db, subscribed):
    keys: list[str] = []

    def send(event):
        assert not connection.in_atomic_block
        keys.append(idempotency_key())
        if len(keys) == 1:
            raise OSError("the mail server is down")

    handler = subscribed(send, Pinged, external=True)
    assert handler.queue == "external"
    with transaction.atomic():
        publish(Pinged(number=1))
        publish(Pinged(number=2))
    until_settled(handler)
    assert len(keys) == 3, "the one that failed is sent again, the other is not"
    assert len(set(keys)) == 2
    assert Receipt.objects.count() == 2


def test_an_external_effect_gets_its_receipt_after_its_lease_has_passed(transactional_db, subscribed):
    def slow(event):
        make_due()
        claims.claim_retry(handler=handler)  # another worker takes over meanwhile

    handler = subscribed(slow, Pinged, external=True)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    assert Receipt.objects.count() == 1
    assert not Delivery.objects.exists()


def test_an_effect_whose_delivery_was_discarded_meanwhile_gets_no_second_receipt(transactional_db, subscribed):
    def slow(event):
        Delivery.objects.update(dead_at=event.time)
        bus("dead-letters", "discard", "--all")

    handler = subscribed(slow, Pinged, external=True)
    with transaction.atomic():
        publish(Pinged(number=1))
    answer_bell(handler)
    assert Receipt.objects.get().outcome == "discarded"
    assert not Delivery.objects.exists()


def test_outside_an_external_handler_there_is_no_idempotency_key(subscribed):
    refused = []

    def look(event):
        with pytest.raises(NoDeliveryInHand, match="external=True"):
            idempotency_key()
        refused.append(event.number)

    handler = subscribed(look, Pinged)
    publish(Pinged(number=1))
    answer_bell(handler)
    assert refused == [1]
