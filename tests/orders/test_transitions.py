"""Confirming, rejecting and cancelling orders, along the graph of transitions only."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import TRANSITIONS, Order, OrderChange, Status
from orders.operations import (
    CANCELLED_BY_THE_SHOP,
    InvalidOrder,
    Transition,
    TransitionNotAllowed,
    cancel_order,
    confirm_orders,
    reject_orders,
    transition,
)
from project.bus import publish
from project.bus.models import Delivery, Receipt
from project.bus.models import Event as EventRow
from project.events import OrderCancelled, OrderConfirmed, OrderRejected, StockRejected, StockReserved

pytestmark = pytest.mark.django_db


def reserved(order: Order) -> StockReserved:
    return StockReserved(order_id=order.pk)


def rejected(order: Order, reason: str = "TEA is short.") -> StockRejected:
    return StockRejected(order_id=order.pk, reason=reason)


def transition_of(order: Order) -> Transition:
    return Transition(
        order_id=order.pk, customer_id=order.customer_id, status=Status(order.status), version=order.version
    )


def assert_history_is_a_path(order: Order) -> None:
    order.refresh_from_db()
    changes = list(order.changes.order_by("sequence"))
    assert [change.sequence for change in changes] == list(range(1, order.version + 1))
    assert (changes[0].from_status, changes[0].to_status) == ("", Status.PLACED)
    for before, after in pairwise(changes):
        assert after.from_status == before.to_status
        assert after.to_status in TRANSITIONS[Status(after.from_status)]
    assert changes[-1].to_status == order.status


def test_transitions_equal_the_documented_graph():
    graph = {str(status): sorted(map(str, targets)) for status, targets in TRANSITIONS.items()}
    assert graph == {
        "placed": ["backordered", "cancelled", "confirmed", "rejected"],
        "confirmed": ["backordered", "cancelled", "paid"],
        "backordered": ["cancelled", "confirmed", "paid"],
        "rejected": [],
        "paid": ["backordered", "cancelled", "shipped"],
        "shipped": ["returned"],
        "returned": [],
        "cancelled": [],
    }


def test_reserved_order_is_confirmed_and_its_history_names_the_event(place, published):
    order = place()
    Order.objects.update(changed_at=datetime(2020, 1, 1, tzinfo=UTC))
    event = reserved(order)
    confirm_orders(reserved=[event])
    order.refresh_from_db()
    assert (order.status, order.version) == (Status.CONFIRMED, 2)
    assert order.changed_at.year > 2020
    change = order.changes.get(sequence=2)
    assert (change.from_status, change.to_status, change.event_id) == ("placed", "confirmed", event.id)
    (confirmed,) = published(OrderConfirmed)
    assert (confirmed.order_id, confirmed.customer_id, confirmed.sequence) == (order.pk, order.customer_id, 2)
    assert EventRow.objects.get(pk=confirmed.id).causation_id == event.id


def test_each_rejected_order_stores_and_announces_its_reason(place, published):
    orders = [place(), place(), place()]
    reject_orders(rejected=[rejected(order, f"reason {number}") for number, order in enumerate(orders)])
    for number, order in enumerate(orders):
        assert_history_is_a_path(order)
        assert (order.status, order.reason) == (Status.REJECTED, f"reason {number}")
        assert order.changes.get(sequence=2).reason == f"reason {number}"
    announced = {event.order_id: (event.reason, event.sequence) for event in published(OrderRejected)}
    assert announced == {order.pk: (f"reason {number}", 2) for number, order in enumerate(orders)}


def test_cancelled_order_stores_its_reason_and_actor(place, published):
    order = place()
    returned = cancel_order(order_id=order.pk, actor_id=order.customer_id, reason="Changed my mind.")
    assert_history_is_a_path(order)
    assert (returned.status, returned.version, returned.changed_at) == ("cancelled", 2, order.changed_at)
    change = order.changes.get(sequence=2)
    assert (change.actor_id, change.reason, change.event_id) == (order.customer_id, "Changed my mind.", None)
    (event,) = published(OrderCancelled)
    assert (event.order_id, event.sequence) == (order.pk, 2)


CLERK = UUID(int=7)


@pytest.mark.parametrize(
    ("actor", "written", "expected"),
    [
        ("customer", {"reason": "My text."}, ("My text.", "")),
        ("customer", {}, ("", "")),
        ("staff", {"reason": "A fraud?"}, (CANCELLED_BY_THE_SHOP, CANCELLED_BY_THE_SHOP)),
        ("staff", {"reason": "A fraud?", "message": "Recalled."}, ("Recalled.", "Recalled.")),
        ("staff", {"reason": "Recalled.", "message": "Recalled."}, ("Recalled.", "Recalled.")),
        ("staff", {"reason": "A fraud?", "message": "  "}, (CANCELLED_BY_THE_SHOP, CANCELLED_BY_THE_SHOP)),
        ("staff", {}, (CANCELLED_BY_THE_SHOP, CANCELLED_BY_THE_SHOP)),
        ("system", {"reason": "The product is recalled."}, ("The product is recalled.", "The product is recalled.")),
    ],
)
def test_what_staff_write_for_themselves_and_what_customers_write_is_not_announced(
    place, published, actor, written, expected
):
    order = place()
    actor_id = {"customer": order.customer_id, "staff": CLERK, "system": None}[actor]
    cancelled = cancel_order(order_id=order.pk, actor_id=actor_id, **written)
    (event,) = published(OrderCancelled)
    assert (cancelled.reason, event.reason) == expected
    assert cancelled.changes.get(sequence=2).reason == written.get("reason", "")


@pytest.mark.parametrize("by_customer", [True, False])
def test_only_staff_have_a_message_for_the_customer(place, published, by_customer):
    order = place()
    with pytest.raises(InvalidOrder, match="message"):
        cancel_order(order_id=order.pk, actor_id=order.customer_id if by_customer else None, message="Hello.")
    assert Order.objects.get().status == "placed"
    assert published(OrderCancelled) == []


def test_second_cancel_is_refused_and_not_announced(place, published):
    order = place()
    cancel_order(order_id=order.pk)
    with pytest.raises(TransitionNotAllowed, match="cancelled"):
        cancel_order(order_id=order.pk)
    assert len(published(OrderCancelled)) == 1
    assert_history_is_a_path(order)


def test_cancelling_an_unknown_order_raises_does_not_exist():
    with pytest.raises(Order.DoesNotExist):
        cancel_order(order_id=uuid4())


def test_outcome_that_arrives_after_a_cancel_is_ignored(place, published):
    orders = [place(), place()]
    for order in orders:
        cancel_order(order_id=order.pk)
    confirm_orders(reserved=[reserved(orders[0])])
    reject_orders(rejected=[rejected(orders[1])])
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    assert published(OrderConfirmed) == published(OrderRejected) == []


def test_repeated_outcome_changes_nothing(place, published):
    first, second = place(), place()
    events = [reserved(first), reserved(first)]
    confirm_orders(reserved=events)
    confirm_orders(reserved=events)
    for _ in range(2):
        reject_orders(rejected=[rejected(second)])
    assert first.changes.get(sequence=2).event_id == events[0].id
    assert [order.changes.count() for order in (first, second)] == [2, 2]
    assert [len(published(kind)) for kind in (OrderConfirmed, OrderRejected)] == [1, 1]


def test_contradictory_outcomes_raise(place):
    confirmed, refused = place(), place()
    confirm_orders(reserved=[reserved(confirmed)])
    reject_orders(rejected=[rejected(refused)])
    with pytest.raises(TransitionNotAllowed):
        reject_orders(rejected=[rejected(confirmed)])
    with pytest.raises(TransitionNotAllowed):
        confirm_orders(reserved=[reserved(refused)])
    assert [Order.objects.get(pk=order.pk).status for order in (confirmed, refused)] == ["confirmed", "rejected"]


def test_unknown_order_does_not_block_the_others(place, drain):
    orders = [place() for _ in range(3)]
    with transaction.atomic():
        publish(*map(reserved, orders), StockReserved(order_id=uuid4()))
    drain()
    assert {Order.objects.get(pk=order.pk).status for order in orders} == {"confirmed"}
    left = Delivery.objects.get(handler="orders.confirm_orders")
    assert left.attempts >= 1
    assert Receipt.objects.filter(handler="orders.confirm_orders").count() == 3


@pytest.mark.parametrize("count", [1, 100])
def test_confirming_and_rejecting_take_the_same_statements_for_any_number_of_orders(count, place):
    confirmed, refused = [[place() for _ in range(count)] for _ in range(2)]
    settle: list[Callable[[], None]] = [
        lambda: confirm_orders(reserved=[reserved(order) for order in confirmed]),
        lambda: reject_orders(rejected=[rejected(order, str(order.pk)) for order in refused]),
    ]
    for run in settle:
        with CaptureQueriesContext(connection) as queries:
            run()
        # Lock; status and history; events and deliveries. The savepoint comes from the transaction of the test itself.
        assert [query["sql"].split()[0] for query in queries] == {
            "postgresql": ["SAVEPOINT", "SELECT", "WITH", "WITH", "RELEASE"],
            "sqlite": ["SAVEPOINT", "SELECT", "WITH", "WITH", "INSERT", "INSERT", "RELEASE"],
        }[connection.vendor]
    assert Order.objects.filter(status="confirmed").count() == count
    assert Order.objects.filter(status="rejected").count() == count


@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("status", Status)
def test_transition_is_allowed_only_if_the_graph_has_it(status, to, place):
    order = place()
    Order.objects.update(status=status)
    order.refresh_from_db()
    if to in TRANSITIONS[status]:
        transition(transition_of(order), to=to)
        assert Order.objects.get().status == to
    else:
        with pytest.raises(TransitionNotAllowed):
            transition(transition_of(order), to=to)
        assert Order.objects.get().status == status
        assert OrderChange.objects.count() == 1


def test_one_forbidden_transition_of_several_stops_all(place):
    orders = [place(), place()]
    cancel_order(order_id=orders[1].pk)
    orders[1].refresh_from_db()
    with pytest.raises(TransitionNotAllowed):
        transition(*map(transition_of, orders), to=Status.CONFIRMED)
    assert Order.objects.get(pk=orders[0].pk).status == "placed"


def test_database_refuses_an_unknown_status(place):
    place()
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET status = 'lost'")


OPERATIONS = {
    "confirm": lambda order: confirm_orders(reserved=[reserved(order)]),
    "reject": lambda order: reject_orders(rejected=[rejected(order)]),
    "cancel": lambda order: cancel_order(order_id=order.pk),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 2)), max_size=12))
def test_history_is_a_path_in_the_graph_after_any_sequence_of_operations(place, published, calls):
    orders = [place() for _ in range(3)]
    for name, number in calls:
        before = Order.objects.get(pk=orders[number].pk)
        try:
            OPERATIONS[name](orders[number])
        except TransitionNotAllowed:
            after = Order.objects.get(pk=orders[number].pk)
            assert (after.status, after.version) == (before.status, before.version)
    for order in orders:
        assert_history_is_a_path(order)
        announced = [event.sequence for event in published() if getattr(event, "order_id", None) == order.pk]
        assert announced == list(range(1, order.version + 1)), "each version is announced once"


def test_database_refuses_a_repeated_sequence(place):
    order = place()
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderChange.objects.create(order=order, sequence=1, from_status="placed", to_status="paid")


def test_a_line_and_a_change_can_be_read_by_people(place):
    order = place()
    cancel_order(order_id=order.pk, reason="changed my mind")
    assert [str(line) for line in order.lines.all()] == ["2 x TEA"]
    assert [str(change) for change in order.changes.order_by("sequence")] == [
        "1: new to placed",
        "2: placed to cancelled",
    ]
