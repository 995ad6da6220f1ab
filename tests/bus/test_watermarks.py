"""Low watermarks: a scan that would step over many dead index entries begins where the last one found nothing."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from project.bus import publish, watermarks
from project.bus.models import Delivery, Receipt
from project.bus.relay.scan import DueScan
from project.bus.watermarks import Watermark
from project.bus.worker import claims
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import make_due

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no dead entries in its indexes"),
]


BEGIN = Watermark.begin


@pytest.fixture(autouse=True)
def _watermarks_are_used(monkeypatch, _all_scans_are_full):
    monkeypatch.setattr(Watermark, "begin", BEGIN)


@pytest.fixture
def handler(subscribed):
    return subscribed(note, Pinged, batch=True)


def note(events):
    """Has no effect."""


@pytest.fixture
def _every_scan_is_slow(monkeypatch):
    monkeypatch.setattr(watermarks, "SLOW_SCAN_S", -1.0)
    monkeypatch.setattr(watermarks, "MAX_SCAN_BACKOFF_S", 1e9)
    monkeypatch.setattr(watermarks, "SCAN_BACKOFF_FACTOR", 1e9)
    claims.forget_watermarks()
    yield
    claims.forget_watermarks()


def publish_due_in(seconds: float) -> None:
    """Publish one event that is due this many seconds from now."""
    before = set(Delivery.objects.values_list("pk", flat=True))
    with transaction.atomic():
        publish(Pinged(number=1))
    Delivery.objects.exclude(pk__in=before).update(due_at=Now() + timedelta(seconds=seconds))


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_claim_begins_at_its_watermark(handler):
    publish_due_in(-30)
    answer_bell(handler)
    publish_due_in(-60)
    publish_due_in(-20)
    answer_bell(handler)
    assert Receipt.objects.count() == 2, "it scanned before the watermark"

    claims.forget_watermarks()
    answer_bell(handler)
    assert Receipt.objects.count() == 3, "a full scan finds what appeared before the watermark"


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_retry_is_searched_from_its_watermark(subscribed):
    tried: list[int] = []

    def refuse_once(event):
        tried.append(event.number)
        if len(tried) == 1:
            raise ValueError

    handler = subscribed(refuse_once, Pinged)
    publish_due_in(-30)
    answer_bell(handler)
    make_due()
    answer_bell(handler)
    assert len(tried) == 1, "it scanned before the watermark"
    Delivery.objects.update(due_at=Now())
    answer_bell(handler)
    assert len(tried) == 2


@pytest.mark.usefixtures("_every_scan_is_slow")
def test_while_full_scans_are_slow_a_relay_begins_at_its_watermarks(handler):
    scan = DueScan()
    publish_due_in(-30)
    assert len(scan.due()) == 1
    answer_bell(handler)
    assert scan.due() == []
    publish_due_in(-60)
    assert scan.due() == []
    publish_due_in(0)
    assert len(scan.due()) == 1
    assert len(DueScan().due()) == 1


def test_a_slow_full_scan_is_not_repeated_for_twenty_times_its_length(monkeypatch):
    clock = iter([0.0, 0.0, 0.9, 1.1])
    monkeypatch.setattr(watermarks, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # only for this module
    watermark = Watermark()
    assert watermark.begin() == 0.0
    watermark.end(since=0.0, clear_until=1000.0, seconds=0.05)
    assert watermark.begin() == 999.0
    assert watermark.begin() == 0.0


def test_a_scan_that_stood_still_for_a_minute_is_repeated_after_five_seconds(monkeypatch):
    clock = iter([0.0, watermarks.MAX_SCAN_BACKOFF_S + 0.1])
    monkeypatch.setattr(watermarks, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # only for this module
    watermark = Watermark()
    watermark.end(since=0.0, clear_until=1000.0, seconds=60.0)
    assert watermark.begin() == 0.0


def test_a_quick_full_scan_may_be_repeated_at_once():
    watermark = Watermark()
    watermark.end(since=0.0, clear_until=1000.0, seconds=0.005)
    assert watermark.begin() == 0.0
