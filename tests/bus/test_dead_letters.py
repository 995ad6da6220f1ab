"""Dead letters: listed by what went wrong, shown, tried again, given up."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from project.bus import dead_letters
from project.bus.claims import claim_fresh
from project.bus.consumer import PermanentError, answer_bell
from project.bus.models import Delivery, Event, FailureCount, Receipt
from project.bus.outbox import publish
from tests.bus.events import Pinged
from tests.bus.hands import by_hand, make_due, refused, written_down


@pytest.fixture
def dead(subscribed):
    """Six dead letters, two of them of another error; mended when emptied."""
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


def test_they_are_listed_by_handler_and_error_with_an_example(dead, capsys):
    by_hand("dead_letters", "list")
    printed = capsys.readouterr().out
    signature = FailureCount.objects.get().signature
    assert "bus.stumble" in printed
    assert signature[:12] in printed
    assert " 6 " in printed
    assert by_hand("dead_letters", "list", "--handler", "bus.other") == "There are no such dead letters.\n"


def test_one_is_shown_with_its_event_and_its_traceback(dead):
    delivery = Delivery.objects.earliest("id")
    printed = by_hand("dead_letters", "show", str(delivery.pk))
    assert f"tests.pinged version 1 of {delivery.event.subject}" in printed
    assert str(delivery.event_id) in printed
    assert "Traceback (most recent call last)" in printed
    assert "the cup is broken" in printed


def test_they_are_tried_again_with_all_their_attempts_once_the_handler_is_mended(dead):
    handler, broken = dead
    broken.clear()
    assert by_hand("dead_letters", "retry", "--handler", handler.name).endswith("6 are due now.\n")
    assert set(Delivery.objects.values_list("attempts", "dead_at")) == {(0, None)}
    assert written_down() == ("ann", "retry", {"handler": handler.name}, {"deliveries": 6})
    make_due()
    answer_bell(handler)
    assert Receipt.objects.filter(outcome="done").count() == 6


def test_a_discarded_one_is_a_receipt_that_says_so_under_the_same_id(dead):
    ids = sorted(Delivery.objects.values_list("pk", flat=True))[:2]
    assert by_hand("dead_letters", "discard", *map(str, ids)).endswith("2 are discarded.\n")
    assert sorted(Receipt.objects.filter(outcome="discarded").values_list("delivery_id", flat=True)) == ids
    assert not Delivery.objects.filter(pk__in=ids).exists()
    assert Delivery.objects.count() == 4
    assert written_down() == ("ann", "discard", {"ids": ids}, {"deliveries": 2})


@pytest.mark.parametrize(("option", "number"), [("--older-than", 2), ("--newer-than", 4)])
def test_they_are_chosen_by_age(dead, option, number):
    old = sorted(Delivery.objects.values_list("pk", flat=True))[:2]
    age(3 * 3600, pk__in=old)
    assert f"{number} are due now" in by_hand("dead_letters", "retry", option, "2h")


def test_they_are_chosen_by_how_a_signature_begins(dead):
    signature = FailureCount.objects.get().signature
    assert "0 are due now" in by_hand("dead_letters", "retry", "--signature", "zzz")
    assert "6 are due now" in by_hand("dead_letters", "retry", "--signature", signature[:8])


def test_what_is_not_dead_is_left_alone(dead):
    publish(Pinged(number=9))
    alive = Delivery.objects.get(dead_at=None)
    refused("dead_letters", "discard", str(alive.pk), "--yes", match="None of these is a dead letter")
    by_hand("dead_letters", "discard", "--all")
    assert list(Delivery.objects.all()) == [alive]


def test_nothing_is_done_unless_it_is_said_which_and_somebody_says_yes(dead):
    refused("dead_letters", "retry", match="Say which")
    refused("dead_letters", "retry", "--all", match="Add --yes")
    refused("dead_letters", "retry", "--all", "--older-than", "soon", match="no length of time")
    refused("dead_letters", "show", match="Give one number")
    refused("dead_letters", "show", "999999", match="is no dead letter")
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 6


@pytest.fixture
def waiting(dead, subscribed):
    """Beside the dead letters two deliveries of a version that no release knows, and one that is merely due."""
    handler = subscribed(lambda event: None, Pinged, external=True)
    publish(*(Pinged(number=number) for number in range(3)))
    newer = sorted(Delivery.objects.filter(handler=handler.name).values_list("pk", flat=True))[:2]
    Event.objects.filter(deliveries__in=newer).update(version=7)
    answer_bell(handler)
    assert set(Delivery.objects.filter(pk__in=newer).values_list("waits_for", flat=True)) == {"tests.pinged version 7"}
    return handler, newer


def test_what_waits_for_a_release_that_never_comes_is_listed_shown_and_given_up(waiting, capsys, monkeypatch):
    handler, newer = waiting
    monkeypatch.setenv("COLUMNS", "120")
    by_hand("dead_letters", "list", "--waiting")
    printed = capsys.readouterr().out
    assert "tests.pinged version 7" in printed
    assert " 2 " in printed
    assert "bus.stumble" not in printed
    assert "waits for a release that knows tests.pinged version 7" in by_hand(
        "dead_letters", "show", str(newer[0]), "--waiting"
    )
    said = by_hand("dead_letters", "discard", "--waiting", "--handler", handler.name)
    assert said.startswith("2 waiting deliveries will be given up")
    assert sorted(Receipt.objects.filter(outcome="discarded").values_list("delivery_id", flat=True)) == newer
    assert written_down() == ("ann", "discard", {"handler": handler.name, "waiting": True}, {"deliveries": 2})
    assert Delivery.objects.filter(dead_at__isnull=False).count() == 6


def test_what_waits_is_asked_for_at_once_when_it_is_retried(waiting):
    _, newer = waiting
    assert by_hand("dead_letters", "retry", "--waiting", "--all").endswith("2 are due now.\n")
    assert Delivery.objects.filter(pk__in=newer, due_at__lte=Now(), attempts=0).count() == 2


def test_what_a_worker_of_the_newer_release_has_in_hand_waits_no_more_and_is_left_to_it(waiting):
    handler, newer = waiting
    make_due(pk__in=newer)
    assert len(claim_fresh(handler=handler, limit=10, durable=False)) == 2
    assert "None of these is a waiting delivery" in refused("dead_letters", "discard", str(newer[0]), "--waiting")
    assert dead_letters.discard(delivery_ids=newer, waiting=True) == 0
    assert dead_letters.retry(delivery_ids=newer, waiting=True) == 0
    assert Delivery.objects.filter(pk__in=newer, attempts=1).count() == 2


def test_what_waits_is_no_dead_letter_to_those_who_retry_or_discard_these(waiting):
    _, newer = waiting
    assert dead_letters.retry(delivery_ids=newer) == 0
    assert dead_letters.discard(delivery_ids=newer) == 0
    assert Delivery.objects.filter(pk__in=newer, waits_for="tests.pinged version 7").count() == 2


def test_what_waits_has_no_signature_and_is_no_dead_letter(waiting):
    _, newer = waiting
    assert "leave out --signature or --waiting" in refused("dead_letters", "retry", "--waiting", "--signature", "3f")
    assert "is no dead letter" in refused("dead_letters", "show", str(newer[0]))
    assert "list --waiting has examples" in refused("dead_letters", "discard", "123456", "--waiting")
