"""The transitions of an order's status: each is written with its history and published as an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import transaction

from orders.models import TRANSITIONS, Order, Status
from orders.operations.placing import InvalidOrder
from project.bus import Event, publish
from project.errors import Conflict, FieldError
from project.events import OrderCancelled, OrderConfirmed, OrderRejected, StockRejected, StockReserved
from project.plain_text import is_blank, line_errors
from project.sql import Rows, as_list, execute, execute_together, for_update, is_among, now, to_uuid

#: Statuses in which a repeated or late event may find an order although nothing is wrong.
CONFIRMED_OR_LATER = frozenset({Status.CONFIRMED, Status.PAID, Status.SHIPPED, Status.RETURNED, Status.CANCELLED})
REJECTED_OR_LATER = frozenset({Status.REJECTED, Status.CANCELLED})

#: What a customer reads when staff cancel an order without a message.
CANCELLED_BY_THE_SHOP = "Cancelled by the shop."

Outcome = TypeVar("Outcome", StockReserved, StockRejected)


class TransitionNotAllowed(Conflict):
    """The graph has no transition from the order's present status to the wanted one."""

    code = "order_status_forbids"

    def __init__(self, order: "Transition", to: Status) -> None:
        before = " or ".join(status for status in Status if to in TRANSITIONS[status])
        super().__init__(f"Order {order.order_id} is {order.status}. Only one that is {before} can become {to}.")


class UnknownOrder(LookupError):
    """An event names an order that does not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """A locked order as it is before its status changes, and why the status changes."""

    order_id: UUID
    customer_id: UUID
    status: Status
    version: int
    cause: Event | None = None
    actor_id: UUID | None = None
    reason: str = ""


def cancel_order(*, order_id: UUID, actor_id: UUID | None = None, reason: str = "", message: str = "") -> Order:
    """Cancel an order and publish OrderCancelled; the handlers of that event release its stock.

    Args:
        actor_id: the customer, a member of staff, or None for the system.
        reason: kept in the history. The customer sees it unless a member of staff gave it.
        message: from a member of staff to the customer, who sees it as the reason.

    Example:
        cancel_order(order_id=order.pk, actor_id=request.user.pk, reason="changed my mind")

    Raises:
        InvalidOrder: there is a message, but no member of staff; or a text is too long or not one plain line.
        Order.DoesNotExist: no order has this id.
        TransitionNotAllowed: the order is already cancelled or can no longer be.
    """
    # What nobody can see counts as empty.
    reason, message = ("" if is_blank(text) else text.strip() for text in (reason, message))
    if errors := [*line_errors("reason", reason), *line_errors("message", message)]:
        raise InvalidOrder(*errors)
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        cancellation = Transition(
            order_id=order.pk,
            customer_id=order.customer_id,
            status=Status(order.status),
            version=order.version,
            actor_id=actor_id,
            reason=reason,
        )
        by_customer, by_staff = actor_id == order.customer_id, actor_id not in (None, order.customer_id)
        if message and not by_staff:
            detail = "Only staff send a message to the customer. Remove it, or give it as the reason."
            raise InvalidOrder(FieldError(field="message", code="not_allowed", detail=detail))
        transition(cancellation, to=Status.CANCELLED)
        public = (message or CANCELLED_BY_THE_SHOP) if by_staff else reason
        if public != reason:
            Order.objects.filter(pk=order.pk).update(reason=public)
        publish(
            OrderCancelled(
                order_id=order.pk,
                customer_id=order.customer_id,
                # What customers write stays out of events and mails.
                reason="" if by_customer else public,
                sequence=order.version + 1,
            )
        )
        order.refresh_from_db()
    return order


@transaction.atomic
def confirm_orders(*, reserved: Sequence[StockReserved]) -> None:
    """Confirm orders whose stock is reserved, and publish OrderConfirmed for each.

    Raises:
        UnknownOrder: an order does not exist.
        TransitionNotAllowed: an order is rejected although its stock is reserved.
    """
    transitions = lock_for_transition(reserved, already=CONFIRMED_OR_LATER)
    transition(*transitions, to=Status.CONFIRMED)
    publish(
        *(
            OrderConfirmed(
                order_id=order.order_id,
                customer_id=order.customer_id,
                sequence=order.version + 1,
                cause=order.cause,
            )
            for order in transitions
        )
    )


@transaction.atomic
def reject_orders(*, rejected: Sequence[StockRejected]) -> None:
    """Reject orders that inventory cannot fulfil, and publish OrderRejected for each.

    Raises:
        UnknownOrder: an order does not exist.
        TransitionNotAllowed: an order is confirmed although inventory rejected it.
    """
    transitions = lock_for_transition(rejected, already=REJECTED_OR_LATER)
    transition(*transitions, to=Status.REJECTED)
    publish(
        *(
            OrderRejected(
                order_id=order.order_id,
                customer_id=order.customer_id,
                reason=order.reason,
                sequence=order.version + 1,
                cause=order.cause,
            )
            for order in transitions
        )
    )


def transition(*transitions: Transition, to: Status) -> None:
    """Change the status of locked orders and write their history, for all of them in one round trip.

    Nothing else changes a status.

    Raises:
        TransitionNotAllowed: the graph does not have one of the transitions; nothing is written.
    """
    if not transitions:
        return
    for wanted in transitions:
        if to not in TRANSITIONS[wanted.status]:
            raise TransitionNotAllowed(wanted, to)
    rows = (
        {
            "order_id": order.order_id,
            "sequence": order.version + 1,
            "from_status": order.status.value,
            "to_status": to.value,
            "event_id": order.cause.id if order.cause else None,
            "actor_id": order.actor_id,
            "reason": order.reason,
        }
        for order in transitions
    )
    columns = ", ".join(_CHANGE_COLUMNS)
    execute_together(
        f"""
        UPDATE orders_order
        SET status = entry.to_status, version = entry.sequence, reason = entry.reason, changed_at = {now()}
        FROM entry WHERE orders_order.id = entry.order_id
        """,  # noqa: S608 - put together from the names below
        f"INSERT INTO orders_orderchange ({columns}) SELECT {columns} FROM entry",  # noqa: S608
        entry=Rows(_CHANGE_COLUMNS, rows),
    )


def lock_for_transition(outcomes: Sequence[Outcome], *, already: frozenset[Status]) -> list[Transition]:
    """Lock the orders that inventory decided about, and return a transition for each that still needs one.

    Args:
        already: an order in one of these statuses needs none.

    Raises:
        UnknownOrder: an order does not exist.
    """
    wanted = {outcome.order_id: outcome for outcome in reversed(outcomes)}
    # Locked by id, so that two batches with the same orders wait for each other instead of deadlocking.
    rows = execute(
        f"""
        SELECT id, customer_id, status, version FROM orders_order
        WHERE {is_among("id", "uuid")} ORDER BY id {for_update()}
        """,  # noqa: S608
        as_list(list(wanted)),
    )
    orders = {to_uuid(order_id): rest for order_id, *rest in rows}
    if missing := wanted.keys() - orders.keys():
        raise UnknownOrder(f"no order has the id {', '.join(sorted(map(str, missing)))}")
    return [
        Transition(
            order_id=order_id,
            customer_id=to_uuid(customer_id),
            status=Status(status),
            version=version,
            cause=wanted[order_id],
            reason=getattr(wanted[order_id], "reason", ""),
        )
        for order_id, (customer_id, status, version) in orders.items()
        if Status(status) not in already
    ]


_CHANGE_COLUMNS = {
    "order_id": "uuid",
    "sequence": "int",
    "from_status": "text",
    "to_status": "text",
    "event_id": "uuid",
    "actor_id": "uuid",
    "reason": "text",
}
