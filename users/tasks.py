"""Who is told what when something happens. Mail reaches outside the database: alone, after commit, at least once."""

from project.bus.consumer import idempotency_key, subscribe
from project.events import OrderCancelled, OrderConfirmed, OrderRejected, UserCreated
from users import operations


@subscribe(UserCreated, external=True)
def email_welcome(event: UserCreated) -> None:
    """Greet a new user."""
    operations.welcome(user_id=event.user_id, key=idempotency_key())


@subscribe(OrderConfirmed, external=True)
def email_confirmation(event: OrderConfirmed) -> None:
    """Tell the customer that the order will be met."""
    operations.tell_of_confirmation(user_id=event.customer_id, order_id=event.order_id, key=idempotency_key())


@subscribe(OrderRejected, external=True)
def email_rejection(event: OrderRejected) -> None:
    """Tell the customer that the order cannot be met."""
    operations.tell_of_rejection(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )


@subscribe(OrderCancelled, external=True)
def email_cancellation(event: OrderCancelled) -> None:
    """Tell the customer that the order was called off."""
    operations.tell_of_cancellation(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )
