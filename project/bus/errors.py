"""Every error that the bus raises. Catch `BusError` to catch all of them."""


class BusError(Exception):
    """The root of the bus's errors."""


class PermanentError(BusError):
    """Raise it in a handler when no retry can help: the delivery becomes a dead letter at once.

    Example::

        if not user.email:
            raise PermanentError("the account has no e-mail address")
    """


class TransientError(BusError):
    """Raise it in a handler when only this event must wait: the delivery is retried, and the circuit stays closed.

    For what stops every event, such as a server that is down, raise any other error: the circuit breaker counts it.

    Example::

        if mailbox.is_full:
            raise TransientError("the mailbox of this user is full")
    """


class InvalidEvent(BusError, ValueError):
    """An event's data do not fit its type. The message names the field."""


class UnknownEvent(BusError, LookupError):
    """This process knows no event of that name and version. A newer release may know it."""


class PublishedOutsideTransaction(BusError, RuntimeError):
    """publish() was called outside a transaction, so a crash could keep the change and lose its event."""


class CauseMissing(BusError, ValueError):
    """A batch handler published an event without saying which event of the batch caused it."""


class NoDeliveryInHand(BusError, LookupError):
    """idempotency_key() was called outside an external handler."""


class UnknownHandler(BusError, LookupError):
    """No subscription has this handler. The message lists the handlers that exist."""


class NotSubscribed(BusError, LookupError):
    """No handler, or not the chosen one, is subscribed to the events. The message lists the subscribers."""


class StillOwed(BusError, RuntimeError):
    """A handler cannot be retired while deliveries are owed to it."""


class StillInCode(BusError, RuntimeError):
    """A handler cannot be retired while the code has it, because the next migrate would subscribe it again."""


class QueueUnavailable(BusError):
    """The broker answers, but one queue cannot be used, for example a Redis key that is not a list."""


class BrokerUnavailable(BusError, ConnectionError):
    """The broker does not answer."""


class MessageRefused(BusError):
    """A message is not a bell. The text is one of a few reasons and repeats nothing of the message."""
