"""One task per step, one message per task."""

from collections.abc import Callable
from functools import partial
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import send_mail
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from benchmarks.peers.naive.models import Customer, Movement, Order, OrderChange, OrderLine, Reservation, Stock

step: Callable[..., Any] = partial(shared_task, autoretry_for=(OperationalError,), retry_backoff=True)


def enqueue(task: Any, *arguments: Any) -> None:
    """Send a message after the COMMIT; with the outbox, write it in the transaction."""
    if settings.OUTBOX:
        task.delay(*arguments)
    else:
        transaction.on_commit(partial(task.delay, *arguments))


@step()
def reserve_stock(order_id: str) -> None:
    """Reserve all lines of an order, or none."""
    with transaction.atomic():
        if not Reservation.objects.filter(order_id=order_id).exists():  # a message may come twice
            # In a fixed order, so that two tasks never wait for each other.
            for line in OrderLine.objects.filter(order_id=order_id).order_by("sku"):
                stock = Stock.objects.select_for_update(of=("self",)).get(product__sku=line.sku)
                if stock.on_hand - stock.reserved < line.quantity:
                    transaction.set_rollback(True)
                    reject_order.delay(order_id, f"not enough stock of {line.sku}")
                    return
                stock.reserved += line.quantity
                stock.save(update_fields=["reserved"])
                Reservation.objects.create(order_id=order_id, stock=stock, quantity=line.quantity)
                Movement.objects.create(
                    stock=stock,
                    kind="reserved",
                    reserved_delta=line.quantity,
                    on_hand_after=stock.on_hand,
                    reserved_after=stock.reserved,
                    order_id=order_id,
                )
        enqueue(confirm_order, order_id)


@step()
def confirm_order(order_id: str) -> None:
    """Confirm an order whose stock is reserved, and enqueue the e-mail."""
    with transaction.atomic():
        if settle(order_id, "confirmed"):
            enqueue(email_confirmation, order_id)


@step()
def reject_order(order_id: str, reason: str) -> None:
    """Reject an order for which there is not enough stock."""
    with transaction.atomic():
        settle(order_id, "rejected", reason)


@step()
def email_confirmation(order_id: str) -> None:
    """E-mail the customer."""
    order = Order.objects.get(pk=order_id)
    customer = Customer.objects.get(pk=order.customer_id)
    send_mail("Your order is confirmed", f"Order {order.pk} will be met.", None, [customer.email])


def settle(order_id: str, status: str, reason: str = "") -> bool:
    """Change the status of a placed order, with its history; whether it was placed."""
    order = Order.objects.select_for_update().get(pk=order_id)
    if order.status != "placed":
        return False
    OrderChange.objects.create(order=order, from_status=order.status, to_status=status, reason=reason)
    order.status, order.reason, order.changed_at = status, reason, Now()
    order.save(update_fields=["status", "reason", "changed_at"])
    return True
