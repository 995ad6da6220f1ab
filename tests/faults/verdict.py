"""Compares the client's history with the database and the mail server, in SQL that shares nothing with the project.

In Jepsen's words: lost is what was acknowledged and is missing or unfinished; duplicated is what was applied more than
once; unexpected is anything else that must not be.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tests.faults import fault_events
from tests.faults.client_history import Attempt
from tests.faults.cluster import HOT, SCARCE, Cluster

TRANSITIONS = {
    "": {"placed"},
    "placed": {"confirmed", "rejected", "cancelled"},
    "confirmed": {"cancelled"},
    "rejected": set(),
    "cancelled": set(),
}

#: All events and all receipts, those that were pruned included.
EVENTS = "(SELECT id, type FROM bus_event UNION ALL SELECT id, type FROM faults_pruned_event) e"
RECEIPTS = """(SELECT delivery_id, event_id, handler, outcome FROM bus_receipt
    UNION ALL SELECT delivery_id, event_id, handler, outcome FROM faults_pruned_receipt) r"""

#: Orders by id: customer, status, and units by SKU.
Orders = dict[UUID, tuple[UUID, str, dict[str, int]]]


@dataclass
class Verdict:
    """The findings. The three lists are empty if the promise was kept."""

    attempted: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    unknown_done: int = 0
    completed: int = 0
    rejected: int = 0
    cancelled: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    units_history: int = 0
    units_ledger: int = 0
    mails_owed: int = 0
    mails_missing: int = 0
    mails_repeated: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, duplicated or unexpected."""
        return not (self.lost or self.duplicated or self.unexpected) and self.units_history == self.units_ledger


def judge(cluster: Cluster, history: Sequence[Attempt], *, mails: bool = True) -> Verdict:
    """Compare the history with the database and, optionally, with the mails."""
    verdict = Verdict(attempted=len(history))
    count = Counter(attempt.outcome for attempt in history)
    verdict.acknowledged, verdict.refused, verdict.unknown = (
        count[name] for name in ("acknowledged", "refused", "unknown")
    )
    orders = _orders(cluster)
    states = _match(verdict, history, orders)
    _histories(verdict, cluster, states)
    _deliveries(verdict, cluster, mails=mails)
    _fault_events(verdict, cluster)
    _ledger(verdict, cluster, states, orders)
    if mails:
        _mails(verdict, cluster)
    return verdict


def orders_with(cluster: Cluster, lines: Mapping[str, int]) -> list[UUID]:
    """The orders with exactly these lines, which are unique to one attempt."""
    rows = cluster.sql(
        "SELECT order_id FROM orders_orderline GROUP BY 1 HAVING jsonb_object_agg(sku, quantity) = %s::jsonb",
        json.dumps(lines),
    )
    return [order_id for (order_id,) in rows]


def _orders(cluster: Cluster) -> Orders:
    orders: Orders = {
        order_id: (customer, status, {})
        for order_id, customer, status in cluster.sql("SELECT id, customer_id, status FROM orders_order")
    }
    for order_id, sku, quantity in cluster.sql("SELECT order_id, sku, quantity FROM orders_orderline"):
        lines = orders[order_id][2]
        lines[sku] = lines.get(sku, 0) + quantity
    return orders


def _match(verdict: Verdict, history: Sequence[Attempt], orders: Orders) -> dict[UUID, str]:
    """Find each attempt's order: by its id if it was acknowledged, otherwise by its lines, which are unique."""
    attempts = {tuple(sorted(attempt.lines.items())): attempt for attempt in history}
    states = {}
    seen = Counter[int]()
    for order_id, (customer, status, lines) in orders.items():
        attempt = attempts.get(tuple(sorted(lines.items())))
        if attempt is None:
            verdict.unexpected.append(f"order {order_id} was never asked for")
            continue
        seen[attempt.number] += 1
        if attempt.order_id not in (None, order_id):
            verdict.duplicated.append(f"attempt {attempt.number} made the orders {attempt.order_id} and {order_id}")
        if customer != attempt.customer:
            verdict.unexpected.append(f"order {order_id} belongs to {customer}, but {attempt.customer} placed it")
        if attempt.outcome == "refused":
            verdict.unexpected.append(
                f"attempt {attempt.number} was refused ({attempt.status}) but made order {order_id}"
            )
        if status == "rejected" and not {SCARCE, HOT} & lines.keys():
            verdict.unexpected.append(f"order {order_id} was rejected although there is enough of all its products")
        if attempt.cancel == 200 and status != "cancelled":
            verdict.lost.append(f"the cancellation of order {order_id}, which is {status}")
        if attempt.cancel in (0, 409) and status == "cancelled":
            verdict.unexpected.append(f"order {order_id} was cancelled without a request")
        states[order_id] = status
        verdict.unknown_done += attempt.outcome == "unknown"
    for attempt in history:
        if seen[attempt.number] > 1:
            verdict.duplicated.append(f"attempt {attempt.number} made {seen[attempt.number]} orders")
        if attempt.order_id is not None and attempt.order_id not in orders:
            verdict.lost.append(f"order {attempt.order_id} was acknowledged but does not exist")
    verdict.lost += [f"order {order_id} was never settled" for order_id, status in states.items() if status == "placed"]
    result = Counter(states.values())
    verdict.completed, verdict.rejected, verdict.cancelled = (
        result[name] for name in ("confirmed", "rejected", "cancelled")
    )
    return states


def _histories(verdict: Verdict, cluster: Cluster, states: dict[UUID, str]) -> None:
    at: dict[UUID, str] = {}
    rows = cluster.sql("SELECT order_id, from_status, to_status FROM orders_orderchange ORDER BY order_id, sequence")
    for order_id, before, after in rows:
        if at.get(order_id, "") != before or after not in TRANSITIONS[before]:
            verdict.unexpected.append(f"order {order_id} went from {at.get(order_id)} by {before} to {after}")
        at[order_id] = after
    for order_id, status in states.items():
        if at.get(order_id) != status:
            verdict.unexpected.append(f"order {order_id} is {status}, its history ends {at.get(order_id)}")


def _deliveries(verdict: Verdict, cluster: Cluster, *, mails: bool) -> None:
    both = cluster.sql(f"SELECT id FROM bus_delivery INTERSECT SELECT delivery_id FROM {RECEIPTS}")
    verdict.unexpected += [f"delivery {row[0]} is both due and done" for row in both]
    for event_id, handler in cluster.sql(f"""
        SELECT e.id, s.handler FROM {EVENTS} JOIN bus_subscription s ON s.event_type = e.type AND s.active
        WHERE s.handler NOT LIKE 'faults.%' AND (e.id, s.handler) NOT IN (
            SELECT r.event_id, r.handler FROM {RECEIPTS} WHERE r.outcome = 'done')
    """):
        if mails or not handler.startswith("users.email"):
            verdict.lost.append(f"event {event_id} was never handled by {handler}")
    dead = cluster.sql(
        "SELECT handler, count(*) FROM bus_delivery WHERE dead_at IS NOT NULL AND NOT handler = ANY(%s) GROUP BY 1",
        cluster.expected_dead_handlers,
    )
    verdict.unexpected += [f"{number} dead letters of {handler}" for handler, number in dead]


def _fault_events(verdict: Verdict, cluster: Cluster) -> None:
    """Events of the runner must have taken effect once, and poison never."""
    effects = fault_events.effect_counts(cluster)
    for event_id in cluster.expected_effects.keys() | effects.keys():
        owed, had = cluster.expected_effects.get(event_id, 0), effects[event_id]
        if had != owed:
            (verdict.lost if had < owed else verdict.duplicated).append(f"event {event_id} took effect {had} times")


def _ledger(verdict: Verdict, cluster: Cluster, states: dict[UUID, str], orders: Orders) -> None:
    """Units of each confirmed order are reserved once, of others not at all, and stock agrees with its ledger."""
    held: dict[UUID, Counter[str]] = {}
    times: Counter[tuple[UUID, str, bool]] = Counter()
    for order_id, sku, delta in cluster.sql("""
        SELECT m.order_id, p.sku, m.reserved_delta FROM inventory_movement m
        JOIN inventory_stock s ON s.id = m.stock_id JOIN inventory_product p ON p.id = s.product_id
        WHERE m.order_id IS NOT NULL
    """):
        held.setdefault(order_id, Counter())[sku] += delta
        times[order_id, sku, delta > 0] += 1
    for (order_id, sku, reserved), number in times.items():
        if number > 1:
            what = "reserved" if reserved else "released"
            verdict.duplicated.append(f"order {order_id}: {sku} was {what} {number} times")
    for order_id, status in states.items():
        wanted = orders[order_id][2] if status == "confirmed" else {}
        units = {sku: number for sku, number in held.pop(order_id, Counter()).items() if number}
        verdict.units_history += sum(wanted.values())
        if units != wanted:
            verdict.unexpected.append(f"order {order_id} is {status} and holds {units} instead of {wanted}")
    verdict.unexpected += [f"order {order_id} holds stock but does not exist" for order_id in held]
    verdict.units_ledger = cluster.sql("SELECT coalesce(sum(reserved_delta), 0) FROM inventory_movement")[0][0]
    for name, *figures in cluster.sql("""
        SELECT p.sku, s.on_hand, s.reserved, coalesce(m.on_hand, 0), coalesce(m.reserved, 0), coalesce(r.units, 0)
        FROM inventory_stock s JOIN inventory_product p ON p.id = s.product_id
        LEFT JOIN (SELECT stock_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
                   FROM inventory_movement GROUP BY 1) m ON m.stock_id = s.id
        LEFT JOIN (SELECT stock_id, sum(quantity) AS units FROM inventory_reservation
                   WHERE state = 'active' GROUP BY 1) r ON r.stock_id = s.id
        WHERE s.on_hand <> coalesce(m.on_hand, 0) OR s.reserved <> coalesce(m.reserved, 0)
            OR s.reserved <> coalesce(r.units, 0) OR s.reserved < 0 OR s.reserved > s.on_hand
    """):
        verdict.unexpected.append(f"drift of {name}: stock, ledger and reservations say {[str(f) for f in figures]}")


def _mails(verdict: Verdict, cluster: Cluster) -> None:
    """One mail for each delivery of a mail, under a Message-ID of its own, and no other mails.

    `_deliveries` checks that the deliveries of each event exist and are done.
    """
    owed = {
        f"{event_id}-{delivery_id}"
        for event_id, delivery_id in cluster.sql(
            f"SELECT event_id, delivery_id FROM {RECEIPTS} WHERE handler LIKE 'users.email%' AND outcome = 'done'"
        )
    }
    times: Counter[str] = Counter()
    contents: dict[str, set[tuple[str, str]]] = {}
    for (message_id, recipient, subject), number in cluster.mail.accepted.items():
        key = message_id.strip("<>").partition("@")[0]
        times[key] += number
        contents.setdefault(key, set()).add((recipient, subject))
    verdict.mails_owed, verdict.mails_missing = len(owed), len(owed - times.keys())
    verdict.mails_repeated = times.total() - len(times)
    verdict.lost += [f"mail {key}" for key in owed - times.keys()]
    verdict.unexpected += [f"mail {key} belongs to no delivery" for key in times.keys() - owed]
    verdict.unexpected += [
        f"mail {key} was repeated with another content: {seen}" for key, seen in contents.items() if len(seen) > 1
    ]
