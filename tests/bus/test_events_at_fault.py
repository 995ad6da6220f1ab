"""A handler that blames one event for its failure: the circuit breaker does not count it."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from project.bus import PermanentError, TransientError, publish
from project.bus.models import Delivery, Receipt, Subscription
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import until_settled

pytestmark = pytest.mark.django_db


def test_transient_errors_are_retried_to_the_last_attempt_and_do_not_count(subscribed):
    def wait(event):
        raise TransientError("the mailbox is full")

    handler = subscribed(wait, Pinged, attempts=3)
    publish(*(Pinged(number=number) for number in range(30)))
    until_settled(handler)
    assert Delivery.objects.filter(dead_at__isnull=False, attempts=3).count() == 30
    assert Subscription.objects.get(handler="bus.wait").failures == 0


# In one transaction, PostgreSQL's now() is before what the first probe makes due again.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [PermanentError, TransientError])
def test_a_probe_whose_own_event_is_at_fault_lets_another_probe_at_once(error, subscribed):
    tried = []

    def mail(event):
        tried.append(event)
        if len(tried) == 1:
            raise error("this address is wrong")

    handler = subscribed(mail, Pinged, external=True)
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(2)))
    rows = Subscription.objects.filter(handler="bus.mail")
    rows.update(failures=20, openings=3, open_until=Now() - timedelta(seconds=60))
    answer_bell(handler)
    assert rows.filter(failures=20, openings=3, open_until__lte=Now()).exists()
    answer_bell(handler)
    assert len(tried) == 2
    assert Receipt.objects.count() == 1
    assert rows.filter(failures=0, open_until=None).exists()
