"""Claims: leases, attempts, and workers that vanish."""

from collections.abc import Callable

from project.bus import publish
from project.bus.backends import backend
from project.bus.models import Delivery, Failure
from project.bus.worker import claims
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import make_due


def recorder(seen: list) -> Callable:
    def record(event):
        seen.append(event.number)

    return record


def test_a_delivery_whose_worker_vanishes_at_each_attempt_becomes_a_dead_letter(subscribed):
    seen: list[int] = []
    handler = subscribed(recorder(seen), Pinged, attempts=3)
    publish(Pinged(number=1))
    assert len(claims.claim_fresh(handler=handler, limit=100, durable=False)) == 1
    for attempts in (2, 3):
        make_due()
        claim = claims.claim_retry(handler=handler)
        assert claim is not None
        assert claim.attempts == attempts
    make_due()
    answer_bell(handler)
    assert seen == []
    assert Delivery.objects.get().dead_at is not None
    assert Failure.objects.get().error == "WorkerVanished"


def test_a_lease_doubles_with_each_attempt(subscribed):
    handler = subscribed(recorder([]), Pinged)
    first = backend().lease_s
    leases = [claims.lease_seconds(handler, attempts=attempts) for attempts in (1, 2, 3, 20)]
    assert leases == [first, first * 2, first * 4, 600]
