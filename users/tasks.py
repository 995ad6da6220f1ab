"""The event handlers of the users service. They send mail, so they are external: after commit, at least once."""

from project.bus import idempotency_key, subscribe
from project.events import OrderCancelled, OrderConfirmed, OrderRejected, UserCreated
from users import operations


@subscribe(UserCreated, external=True)
def email_welcome(event: UserCreated) -> None:
    """Welcome a new user."""
    operations.send_welcome_email(user_id=event.user_id, key=idempotency_key())


@subscribe(OrderConfirmed, external=True)
def email_confirmation(event: OrderConfirmed) -> None:
    """Tell the customer that the order is confirmed."""
    operations.send_confirmation_email(user_id=event.customer_id, order_id=event.order_id, key=idempotency_key())


@subscribe(OrderRejected, external=True)
def email_rejection(event: OrderRejected) -> None:
    """Tell the customer that the order cannot be fulfilled."""
    operations.send_rejection_email(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )


@subscribe(OrderCancelled, external=True)
def email_cancellation(event: OrderCancelled) -> None:
    """Tell the customer that the order is cancelled."""
    operations.send_cancellation_email(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )
