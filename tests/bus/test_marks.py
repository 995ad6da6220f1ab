"""Low-water marks: scans that would step over much begin where the last one found nothing."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from project.bus import claims, marks
from project.bus.consumer import answer_bell
from project.bus.marks import Mark
from project.bus.models import Delivery, Receipt
from project.bus.outbox import publish
from project.bus.relay import Scan, due_handlers
from tests.bus.events import Pinged
from tests.bus.hands import make_due

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no dead entries in its indexes"),
]


BEGIN = Mark.begin


@pytest.fixture(autouse=True)
def _marks_are_used(monkeypatch, _every_scan_is_a_full_one):
    monkeypatch.setattr(Mark, "begin", BEGIN)


@pytest.fixture
def handler(subscribed):
    return subscribed(note, Pinged, batch=True)


def note(events):
    """Has no effect."""


@pytest.fixture
def _every_scan_is_slow(monkeypatch):
    monkeypatch.setattr(marks, "SLOW", -1.0)
    monkeypatch.setattr(marks, "LONGEST", 1e9)
    monkeypatch.setattr(marks, "SPARED", 1e9)
    claims.forget_marks()
    yield
    claims.forget_marks()


def published_at(seconds: float) -> None:
    """Publish one event, due so many seconds from now."""
    before = set(Delivery.objects.values_list("pk", flat=True))
    with transaction.atomic():
        publish(Pinged(number=1))
    Delivery.objects.exclude(pk__in=before).update(due_at=Now() + timedelta(seconds=seconds))


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_claim_begins_at_the_mark(handler):
    published_at(-30)
    answer_bell(handler)
    published_at(-60)
    published_at(-20)
    answer_bell(handler)
    assert Receipt.objects.count() == 2, "what lies before the mark was looked for"

    claims.forget_marks()
    answer_bell(handler)
    assert Receipt.objects.count() == 3, "a full scan finds what appeared before the mark"


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_second_try_is_looked_for_from_its_mark(subscribed):
    tried: list[int] = []

    def refuse_once(event):
        tried.append(event.number)
        if len(tried) == 1:
            raise ValueError

    handler = subscribed(refuse_once, Pinged)
    published_at(-30)
    answer_bell(handler)
    make_due()
    answer_bell(handler)
    assert len(tried) == 1, "what lies before the mark was looked for"
    Delivery.objects.update(due_at=Now())
    answer_bell(handler)
    assert len(tried) == 2


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_relay_begins_at_its_marks(handler):
    scan = Scan()
    published_at(-30)
    assert len(due_handlers(scan)) == 1
    answer_bell(handler)
    assert due_handlers(scan) == []
    published_at(-60)
    assert due_handlers(scan) == []
    published_at(0)
    assert len(due_handlers(scan)) == 1
    assert len(due_handlers(Scan())) == 1


def test_a_full_scan_that_was_slow_is_not_repeated_for_twenty_times_its_length(monkeypatch):
    clock = iter([0.0, 0.0, 0.9, 1.1])
    monkeypatch.setattr(marks, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # of no other thread
    mark = Mark()
    assert mark.begin() == 0.0
    mark.end(since=0.0, clear_until=1000.0, seconds=0.05)
    assert mark.begin() == 999.0
    assert mark.begin() == 0.0


def test_a_scan_that_stood_still_for_a_minute_is_repeated_after_seconds(monkeypatch):
    clock = iter([0.0, marks.LONGEST + 0.1])
    monkeypatch.setattr(marks, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # of no other thread
    mark = Mark()
    mark.end(since=0.0, clear_until=1000.0, seconds=60.0)
    assert mark.begin() == 0.0


def test_a_full_scan_that_was_quick_may_follow_at_once():
    mark = Mark()
    mark.end(since=0.0, clear_until=1000.0, seconds=0.005)
    assert mark.begin() == 0.0
