"""How many orders and units one account may hold, so that nobody can hold the whole stock without paying."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.conf import settings

from orders.models import OPEN_STATUSES
from project.errors import FieldError, QuotaExceeded
from project.events import Line
from project.sql import execute, lock_until_commit

#: Only the customer, or time, makes room; so the header Retry-After has no better number.
RETRY_AFTER_S = 60
OPEN = "placed, confirmed or backordered, and not yet paid"
REMEDY = f"Pay for an order or cancel one; otherwise try again in {RETRY_AFTER_S} seconds or later."


class TooManyOpenOrders(QuotaExceeded):
    """The customer's open orders leave no room for another."""

    def __init__(self) -> None:
        detail = f"You have {settings.MAX_OPEN_ORDERS} open orders, which is the maximum: {OPEN}. {REMEDY}"
        super().__init__(detail, code="too_many_open_orders", wait=RETRY_AFTER_S)


class TooManyHeldUnits(QuotaExceeded):
    """The customer's open orders have too many units for another."""

    def __init__(self, *, held: int, wanted: int) -> None:
        detail = (
            f"Your open orders ({OPEN}) hold {held} units; with the {wanted} of this one they would be more than the "
            f"maximum of {settings.MAX_HELD_UNITS}. {REMEDY}"
        )
        super().__init__(detail, code="too_many_held_units", wait=RETRY_AFTER_S)


def units_of(lines: Sequence[Line]) -> int:
    return sum(line.quantity for line in lines)


def size_errors(lines: Sequence[Line]) -> Iterator[FieldError]:
    """Check that the order alone does not exceed the quota: it could never be placed."""
    if (units := units_of(lines)) > settings.MAX_HELD_UNITS:
        detail = f"The order has {units} units; the maximum is {settings.MAX_HELD_UNITS}. Order fewer."
        yield FieldError(field="lines", code="too_many_units", detail=detail)


def check_quotas(*, customer_id: UUID, lines: Sequence[Line]) -> None:
    """Check within a transaction that the customer may place one more order; others of the same customer wait for it.

    Raises:
        TooManyOpenOrders: there are too many open orders.
        TooManyHeldUnits: they have too many units.
    """
    lock_until_commit(f"open orders of {customer_id}")
    # The statuses are in the text, because a plan with parameters does not use the partial index. Beyond the maximum
    # nothing is counted, however many orders an operator placed for the customer.
    ((orders, held),) = execute(
        f"""
        WITH open_order AS (
            SELECT id FROM orders_order
            WHERE customer_id = %s AND status IN ({_STATUSES}) LIMIT %s
        )
        SELECT (SELECT count(*) FROM open_order), (
            SELECT coalesce(sum(quantity), 0) FROM orders_orderline WHERE order_id IN (SELECT id FROM open_order)
        )
        """,  # noqa: S608 - put together from the names above
        customer_id.hex,
        settings.MAX_OPEN_ORDERS,
    )
    if orders >= settings.MAX_OPEN_ORDERS:
        raise TooManyOpenOrders
    if held + units_of(lines) > settings.MAX_HELD_UNITS:
        raise TooManyHeldUnits(held=held, wanted=units_of(lines))


_STATUSES = ", ".join(f"'{status.value}'" for status in OPEN_STATUSES)
