"""The steps that orders take along the graph of their status, each written with its history and published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction

from orders.models import TRANSITIONS, Order, Status
from project.api.errors import Conflict
from project.bus.events import Event
from project.bus.outbox import publish
from project.bus.sql import Table, among, as_json, listed, now, run, run_all, uuid_of
from project.events import OrderCancelled, OrderConfirmed, OrderRejected, StockRejected, StockReserved

#: Where a repeated or late event may find an order without anything being wrong: there, further on, or cancelled.
PAST_CONFIRMATION = frozenset({Status.CONFIRMED, Status.PAID, Status.SHIPPED, Status.RETURNED, Status.CANCELLED})
PAST_REJECTION = frozenset({Status.REJECTED, Status.CANCELLED})

Outcome = TypeVar("Outcome", StockReserved, StockRejected)


class StatusForbids(Conflict):
    """The graph has no step from where the order stands to where it is wanted."""

    code = "order_status_forbids"

    def __init__(self, step: "Step", to: Status) -> None:
        before = " or ".join(status for status in Status if to in TRANSITIONS[status])
        super().__init__(f"Order {step.order_id} is {step.status}. Only one that is {before} can become {to}.")


class UnknownOrder(LookupError):
    """An event speaks of an order that is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """An order that is to take a step, as it is before that, and why. Its row is locked."""

    order_id: UUID
    customer_id: UUID
    status: Status
    version: int
    cause: Event | None = None
    actor_id: UUID | None = None
    reason: str = ""


def cancel_order(*, order_id: UUID, actor_id: UUID | None = None, reason: str = "") -> Order:
    """Call an order off and publish OrderCancelled, upon which its stock is released.

    Raises:
        Order.DoesNotExist: there is no such order.
        StatusForbids: it can no longer be cancelled, or is cancelled already.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        step = Step(
            order_id=order.pk,
            customer_id=order.customer_id,
            status=Status(order.status),
            version=order.version,
            actor_id=actor_id,
            reason=reason,
        )
        move(step, to=Status.CANCELLED)
        publish(
            OrderCancelled(order_id=order.pk, customer_id=order.customer_id, reason=reason, sequence=order.version + 1)
        )
        order.refresh_from_db()
    return order


@transaction.atomic
def confirm_orders(*, reserved: Sequence[StockReserved]) -> None:
    """Confirm orders whose stock is reserved, and publish OrderConfirmed for each.

    Raises:
        UnknownOrder: one of them is not there.
        StatusForbids: one was rejected, and yet its stock is reserved.
    """
    steps = steps_of(reserved, past=PAST_CONFIRMATION)
    move(*steps, to=Status.CONFIRMED)
    publish(
        *(
            OrderConfirmed(
                order_id=step.order_id, customer_id=step.customer_id, sequence=step.version + 1, cause=step.cause
            )
            for step in steps
        )
    )


@transaction.atomic
def reject_orders(*, rejected: Sequence[StockRejected]) -> None:
    """Reject orders that cannot be met, and publish OrderRejected for each.

    Raises:
        UnknownOrder: one of them is not there.
        StatusForbids: one was confirmed, and yet it cannot be met.
    """
    steps = steps_of(rejected, past=PAST_REJECTION)
    move(*steps, to=Status.REJECTED)
    publish(
        *(
            OrderRejected(
                order_id=step.order_id,
                customer_id=step.customer_id,
                reason=step.reason,
                sequence=step.version + 1,
                cause=step.cause,
            )
            for step in steps
        )
    )


def move(*steps: Step, to: Status) -> None:
    """Take orders, whose rows are locked, one step along the graph and write their history, all in one go.

    The one place where a status changes.

    Raises:
        StatusForbids: the graph has no such step; nothing was written.
    """
    if not steps:
        return
    for step in steps:
        if to not in TRANSITIONS[step.status]:
            raise StatusForbids(step, to)
    rows = as_json(
        {
            "order_id": step.order_id,
            "sequence": step.version + 1,
            "from_status": step.status.value,
            "to_status": to.value,
            "event_id": step.cause.id if step.cause else None,
            "actor_id": step.actor_id,
            "reason": step.reason,
        }
        for step in steps
    )
    columns = ", ".join(_CHANGE)
    run_all(
        f"""
        UPDATE orders_order
        SET status = entry.to_status, version = entry.sequence, reason = entry.reason, changed_at = {now()}
        FROM entry WHERE orders_order.id = entry.order_id
        """,  # noqa: S608 - put together from the names below
        f"INSERT INTO orders_orderchange ({columns}) SELECT {columns} FROM entry",  # noqa: S608
        entry=Table(_CHANGE, rows),
    )


def steps_of(outcomes: Sequence[Outcome], *, past: frozenset[Status]) -> list[Step]:
    """Lock the orders that inventory decided about; of those, the steps that are still to be taken.

    Raises:
        UnknownOrder: an order is not there.
    """
    wanted = {outcome.order_id: outcome for outcome in reversed(outcomes)}
    # Locked in one fixed order, so that two batches with the same orders wait for each other and never deadlock.
    lock = "FOR UPDATE" if connection.features.has_select_for_update else ""
    rows = run(
        f"""
        SELECT id, customer_id, status, version FROM orders_order
        WHERE {among("id", "uuid")} ORDER BY id {lock}
        """,  # noqa: S608
        listed(list(wanted)),
    )
    orders = {uuid_of(order_id): rest for order_id, *rest in rows}
    if missing := wanted.keys() - orders.keys():
        raise UnknownOrder(f"no such order: {', '.join(sorted(map(str, missing)))}")
    return [
        Step(
            order_id=order_id,
            customer_id=uuid_of(customer_id),
            status=Status(status),
            version=version,
            cause=wanted[order_id],
            reason=getattr(wanted[order_id], "reason", ""),
        )
        for order_id, (customer_id, status, version) in orders.items()
        if Status(status) not in past
    ]


_CHANGE = {
    "order_id": "uuid",
    "sequence": "int",
    "from_status": "text",
    "to_status": "text",
    "event_id": "uuid",
    "actor_id": "uuid",
    "reason": "text",
}
