"""RingScheduler: when each handler is rung, and when the relay polls next."""

from itertools import pairwise

import pytest

from project.bus.relay.scan import DueHandler
from project.bus.relay.scheduler import (
    CROWDED_PER_S,
    MAX_RING_INTERVAL_S,
    POLL_BUSY_S,
    POLL_CROWDED_S,
    POLL_HELD_S,
    RING_INTERVAL_CROWDED_S,
    RING_INTERVAL_S,
    RingScheduler,
)


def test_the_interval_doubles_while_the_head_stays_and_is_short_again_once_it_moves():
    scheduler, now, rung = RingScheduler(), 0.0, []
    stuck = DueHandler("a", "q", (1, None))
    while now < 10:
        if scheduler.ready([stuck], now=now):
            scheduler.rang(stuck, now=now)
            rung.append(now)
        now += 0.001
    intervals = [later - earlier for earlier, later in pairwise(rung)]
    assert intervals[0] < intervals[1] < intervals[2]
    assert max(intervals) <= MAX_RING_INTERVAL_S + 0.002
    assert intervals[-1] >= MAX_RING_INTERVAL_S - 0.002
    moved = DueHandler("a", "q", (2, None))
    assert not scheduler.ready([moved], now=rung[-1] + RING_INTERVAL_S / 2)
    assert scheduler.ready([moved], now=rung[-1] + RING_INTERVAL_S * 1.01)


def test_polls_are_rarer_only_while_work_moves_on_faster_than_bells_may_follow():
    scheduler = RingScheduler()
    first, moved = DueHandler("a.b", "a", (1, None)), DueHandler("a.b", "a", (9, None))
    scheduler.rang(first, now=0.0)
    assert not scheduler.ready([first], now=RING_INTERVAL_S / 2)
    assert scheduler.poll_in == POLL_BUSY_S, "the same delivery still waits, and another handler's may come at any time"
    assert not scheduler.ready([moved], now=RING_INTERVAL_S / 2)
    assert scheduler.poll_in == POLL_HELD_S
    assert not scheduler.ready([], now=RING_INTERVAL_S / 2)
    assert scheduler.poll_in == POLL_BUSY_S


@pytest.mark.parametrize(
    ("per_second", "interval", "poll_in"),
    [(CROWDED_PER_S / 2, RING_INTERVAL_S, POLL_HELD_S), (CROWDED_PER_S * 2, RING_INTERVAL_CROWDED_S, POLL_CROWDED_S)],
)
def test_larger_batches_gather_while_deliveries_crowd_in(per_second, interval, poll_in):
    rung: list[float] = []
    scheduler, now, ids = RingScheduler(), 100.0, 0.0
    while len(rung) < 10:
        ids += per_second / 1000
        due = DueHandler("a.b", "a", (int(ids), None))
        if scheduler.ready([due], now=now):
            scheduler.rang(due, now=now)
            rung.append(now)
        now += 0.001
    intervals = [later - earlier for earlier, later in pairwise(rung[1:])]
    assert intervals == pytest.approx([interval] * 8, abs=0.002)
    assert not scheduler.ready([DueHandler("a.b", "a", (int(ids) + 1, None))], now=now)
    assert scheduler.poll_in == poll_in
