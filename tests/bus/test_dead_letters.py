"""Dead letters: list them by what went wrong, show one, retry them, discard them."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from project.bus import PermanentError, publish
from project.bus.models import Delivery, Event, FailureCount, Receipt
from project.bus.operator import dead_letters
from project.bus.operator.dead_letters import DeadLetterQuery
from project.bus.worker.claims import claim_fresh
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import bus, bus_refuses, last_audit_entry, make_due


@pytest.fixture
def dead(subscribed):
    """Six dead letters, two of them with another text. The handler works once the returned list is empty."""
    broken = [True]

    def stumble(event):
        if broken and event.number < 2:
            raise PermanentError("the cup is broken")
        if broken:
            error = PermanentError
            raise error("there is no tea")

    handler = subscribed(stumble, Pinged, external=True)
    publish(*(Pinged(number=number) for number in range(6)))
    answer_bell(handler)
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 6
    return handler, broken


def age(seconds: int, **which) -> None:
    Delivery.objects.filter(**which).update(dead_at=Now() - timedelta(seconds=seconds))


def test_list_groups_by_handler_and_error(dead):
    printed = bus("dead-letters", "list")
    signature = FailureCount.objects.get().signature
    assert "bus.stumble" in printed
    assert signature[:12] in printed
    assert " 6 " in printed
    assert bus("dead-letters", "list", "--handler", "bus.other") == "There are no such dead letters.\n"


def test_show_prints_the_event_and_the_traceback(dead):
    delivery = Delivery.objects.earliest("id")
    printed = bus("dead-letters", "show", str(delivery.pk))
    assert f"tests.pinged version 1 of {delivery.event.subject}" in printed
    assert str(delivery.event_id) in printed
    assert "Traceback (most recent call last)" in printed
    assert "the cup is broken" in printed


def test_retry_gives_them_all_their_attempts_again(dead):
    handler, broken = dead
    broken.clear()
    assert bus("dead-letters", "retry", "--handler", handler.name).endswith("6 are due now.\n")
    assert set(Delivery.objects.values_list("attempts", "dead_at")) == {(0, None)}
    assert last_audit_entry() == ("ann", "retry", {"handler": handler.name}, {"deliveries": 6})
    make_due()
    answer_bell(handler)
    assert Receipt.objects.filter(outcome="done").count() == 6


def test_discard_leaves_a_receipt_with_the_same_id(dead):
    ids = sorted(Delivery.objects.values_list("pk", flat=True))[:2]
    assert bus("dead-letters", "discard", *map(str, ids)).endswith("2 are discarded.\n")
    assert sorted(Receipt.objects.filter(outcome="discarded").values_list("delivery_id", flat=True)) == ids
    assert not Delivery.objects.filter(pk__in=ids).exists()
    assert Delivery.objects.count() == 4
    assert last_audit_entry() == ("ann", "discard", {"ids": ids}, {"deliveries": 2})


@pytest.mark.parametrize(("option", "number"), [("--older-than", 2), ("--newer-than", 4)])
def test_retry_chooses_by_age(dead, option, number):
    old = sorted(Delivery.objects.values_list("pk", flat=True))[:2]
    age(3 * 3600, pk__in=old)
    assert f"{number} are due now" in bus("dead-letters", "retry", option, "2h")


def test_retry_chooses_by_the_beginning_of_a_signature(dead):
    signature = FailureCount.objects.get().signature
    assert "0 are due now" in bus("dead-letters", "retry", "--signature", "zzz")
    assert "6 are due now" in bus("dead-letters", "retry", "--signature", signature[:8])


def test_discard_leaves_living_deliveries_alone(dead):
    publish(Pinged(number=9))
    alive = Delivery.objects.get(dead_at=None)
    bus_refuses("dead-letters", "discard", str(alive.pk), "--yes", match="None of these is a dead letter")
    bus("dead-letters", "discard", "--all")
    assert list(Delivery.objects.all()) == [alive]


def test_a_change_needs_a_choice_and_a_confirmation(dead):
    bus_refuses("dead-letters", "retry", match="Say which")
    bus_refuses("dead-letters", "retry", "--all", match="Add --yes")
    bus_refuses("dead-letters", "retry", "--all", "--older-than", "soon", match="not a length of time")
    bus_refuses("dead-letters", "show", match="Give one number")
    for number in ("999999", "9" * 19, "9" * 60, "-" + "9" * 60):
        bus_refuses("dead-letters", "show", "--", number, match="is not a dead letter")
        bus_refuses("dead-letters", "retry", "--", number, match="None of these is a dead letter")
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 6


@pytest.fixture
def waiting(dead, subscribed):
    """Beside the dead letters: two deliveries of a version that no release knows, and one that is due."""
    handler = subscribed(lambda event: None, Pinged, external=True)
    publish(*(Pinged(number=number) for number in range(3)))
    newer = sorted(Delivery.objects.filter(handler=handler.name).values_list("pk", flat=True))[:2]
    Event.objects.filter(deliveries__in=newer).update(version=7)
    answer_bell(handler)
    assert set(Delivery.objects.filter(pk__in=newer).values_list("waits_for", flat=True)) == {"tests.pinged version 7"}
    return handler, newer


def test_waiting_deliveries_can_be_listed_shown_and_discarded(waiting):
    handler, newer = waiting
    printed = bus("dead-letters", "list", "--waiting")
    assert "tests.pinged version 7" in printed
    assert " 2 " in printed
    assert "bus.stumble" not in printed
    assert "waits for a release that knows tests.pinged version 7" in bus(
        "dead-letters", "show", str(newer[0]), "--waiting"
    )
    said = bus("dead-letters", "discard", "--waiting", "--handler", handler.name)
    assert said.startswith("2 waiting deliveries will be discarded")
    assert sorted(Receipt.objects.filter(outcome="discarded").values_list("delivery_id", flat=True)) == newer
    assert last_audit_entry() == ("ann", "discard", {"handler": handler.name, "waiting": True}, {"deliveries": 2})
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 6


def test_retry_makes_waiting_deliveries_due_at_once(waiting):
    _, newer = waiting
    assert bus("dead-letters", "retry", "--waiting", "--all").endswith("2 are due now.\n")
    assert Delivery.objects.filter(pk__in=newer, due_at__lte=Now(), attempts=0).count() == 2


def test_a_delivery_that_a_worker_of_the_newer_release_has_claimed_no_longer_waits(waiting):
    handler, newer = waiting
    make_due(pk__in=newer)
    assert len(claim_fresh(handler=handler, limit=10, durable=False)) == 2
    assert "None of these is a waiting delivery" in bus_refuses("dead-letters", "discard", str(newer[0]), "--waiting")
    assert dead_letters.discard(query=DeadLetterQuery(ids=newer, waiting=True), actor="ann") == 0
    assert dead_letters.retry(query=DeadLetterQuery(ids=newer, waiting=True), actor="ann") == 0
    assert Delivery.objects.filter(pk__in=newer, attempts=1).count() == 2


def test_retry_and_discard_of_dead_letters_leave_waiting_deliveries_alone(waiting):
    _, newer = waiting
    assert dead_letters.retry(query=DeadLetterQuery(ids=newer), actor="ann") == 0
    assert dead_letters.discard(query=DeadLetterQuery(ids=newer), actor="ann") == 0
    assert Delivery.objects.filter(pk__in=newer, waits_for="tests.pinged version 7").count() == 2


def test_waiting_deliveries_have_no_signature_and_are_not_dead_letters(waiting):
    _, newer = waiting
    assert "leave out --signature or --waiting" in bus_refuses(
        "dead-letters", "retry", "--waiting", "--signature", "3f"
    )
    assert "is not a dead letter" in bus_refuses("dead-letters", "show", str(newer[0]))
    assert "list --waiting has examples" in bus_refuses("dead-letters", "discard", "123456", "--waiting")
