"""The event handlers of the users service. They send mail, so they are external: after commit, at least once."""

from project.bus import idempotency_key, subscribe
from project.events import (
    ConfirmationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    RegistrationRepeated,
    UserCreated,
)
from users import mails


@subscribe(UserCreated, external=True)
def email_welcome(event: UserCreated) -> None:
    """Ask a new user to confirm the address, or welcome one whose address is confirmed."""
    mails.send_welcome_email(user_id=event.user_id, key=idempotency_key())


@subscribe(ConfirmationRequested, external=True)
def email_address_check(event: ConfirmationRequested) -> None:
    """Ask a user to confirm the address, unless it is confirmed."""
    mails.send_address_check(user_id=event.user_id, key=idempotency_key())


@subscribe(RegistrationRepeated, external=True)
def email_repetition_notice(event: RegistrationRepeated) -> None:
    """Tell the owner of an address that somebody registered with it."""
    mails.send_repetition_notice(user_id=event.user_id, key=idempotency_key())


@subscribe(OrderConfirmed, external=True)
def email_confirmation(event: OrderConfirmed) -> None:
    """Tell the customer that the order is confirmed."""
    mails.send_confirmation_email(user_id=event.customer_id, order_id=event.order_id, key=idempotency_key())


@subscribe(OrderRejected, external=True)
def email_rejection(event: OrderRejected) -> None:
    """Tell the customer that the order cannot be fulfilled."""
    mails.send_rejection_email(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )


@subscribe(OrderCancelled, external=True)
def email_cancellation(event: OrderCancelled) -> None:
    """Tell the customer that the order is cancelled."""
    mails.send_cancellation_email(
        user_id=event.customer_id, order_id=event.order_id, reason=event.reason, key=idempotency_key()
    )
