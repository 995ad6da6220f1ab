"""Five events that cannot be handled, among a thousand that can."""

import pytest
from django.db import connection, transaction

from project.bus import publish
from project.bus.models import Delivery, Receipt, Subscription
from tests.bus.events import Pinged
from tests.system import System, eventually

#: As in tests/faults/batch_points.py, which only workers import, because it has handlers.
POISON = {150, 151, 400, 700, 999}
ATTEMPTS = 3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's leases are long: some minutes of waiting")
def test_five_poison_events_among_a_thousand_end_dead_their_neighbours_done_and_a_retry_empties_them(
    system: System, tmp_path
):
    mended = tmp_path / "mended"
    Subscription.objects.create(event_type=Pinged.wire_name, handler="faults.poisoned", queue="inventory")
    with transaction.atomic():
        publish(*(Pinged(number=number) for number in range(1005)))
    system.redis()
    system.relay()
    system.worker("inventory", "-I", "tests.faults.batch_points", FAULT_MENDED=str(mended))
    dead = Delivery.objects.filter(dead_at__isnull=False)
    eventually(lambda: dead.count() == 5, within=60, what="five dead letters")
    eventually(lambda: Receipt.objects.count() == 1000, within=10, what="a thousand are done")
    assert {delivery.event.data["number"] for delivery in dead} == POISON
    assert max(dead.values_list("attempts", flat=True)) <= ATTEMPTS
    assert max(Receipt.objects.values_list("attempts", flat=True)) <= 2
    assert not Delivery.objects.filter(dead_at=None).exists()

    mended.touch()
    retried = system.manage("bus", "dead-letters", "retry", "--handler", "faults.poisoned", "--yes")
    assert retried.returncode == 0, retried.stderr
    eventually(lambda: Receipt.objects.count() == 1005, within=20, what="the five are done")
    assert not Delivery.objects.exists()
