"""Placing orders: each is validated against the catalogue, written and published."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from orders.models import Order, OrderLine, Status
from orders.operations.quotas import check_quotas, size_errors
from project.bus import Event, publish
from project.errors import FieldError, InvalidInput
from project.events import Line, OrderPlaced
from project.sql import Rows, as_list, execute, execute_together, is_among, to_decimal, to_time, to_uuid

MAX_LINES = 100
MAX_UNITS_PER_LINE = 10_000
MAX_TOTAL = Decimal("9999999999.99")  # the column holds no more


class InvalidOrder(InvalidInput):
    """The order is not valid; `errors` names each wrong field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOrder:
    """An order to place."""

    customer_id: UUID
    lines: Sequence[Line]
    #: Whether it welcomes a new customer. A customer has at most one such order.
    is_welcome: bool = False
    #: The event that caused it, if any.
    cause: Event | None = None


def place_order(
    *, customer_id: UUID, lines: Sequence[Line], is_welcome: bool = False, cause: Event | None = None
) -> Order:
    """Write an order at today's prices and publish OrderPlaced. Nothing is reserved yet.

    The arguments are the fields of `NewOrder`. A welcome order is not bound by the customer's quotas.

    Example:
        place_order(customer_id=user.pk, lines=[Line(sku="MUG-STONE", quantity=2)])

    Raises:
        InvalidOrder: naming each wrong line; nothing is written.
        QuotaExceeded: the customer's open orders leave no room for it; nothing is written.
    """
    wanted = NewOrder(customer_id=customer_id, lines=lines, is_welcome=is_welcome, cause=cause)
    catalogue = _validate_against_catalogue([wanted], errors=lambda _, found: found)
    if not is_welcome and (wrong := list(size_errors(lines))):
        raise InvalidOrder(*wrong)
    with transaction.atomic():
        if not is_welcome:
            check_quotas(customer_id=customer_id, lines=lines)
        ((order_id, placed_at),) = _insert([wanted], catalogue)
    # Built in memory, so that a view can show the order without a query.
    written = {
        "id": order_id,
        "customer_id": customer_id,
        "status": Status.PLACED,
        "version": 1,
        "currency": catalogue[lines[0].sku].currency,
        "total": _total(lines, catalogue),
        "reason": "",
        "is_welcome": is_welcome,
        "placed_at": placed_at,
        "changed_at": placed_at,
    }
    order = Order.from_db(connection.alias, list(written), list(written.values()))
    order.set_prefetched_lines(
        OrderLine(order=order, sku=item.sku, name=item.name, quantity=line.quantity, unit_price=item.price)
        for line, item in ((line, catalogue[line.sku]) for line in lines)
    )
    return order


def place_orders(*, orders: Sequence[NewOrder]) -> list[UUID]:
    """Place many orders in one transaction, with as many statements as for one. Operators use it: it has no quotas.

    Returns:
        Their ids, in the given order.

    Raises:
        InvalidOrder: naming each wrong order and line; none is placed.
    """
    catalogue = _validate_against_catalogue(
        orders, errors=lambda index, found: (replace(error, field=f"orders[{index}].{error.field}") for error in found)
    )
    with transaction.atomic():
        return [order_id for order_id, _ in _insert(orders, catalogue)]


def open_welcome_order(*, user_id: UUID, cause: Event | None = None) -> Order | None:
    """Place a new user's welcome order: one unit of settings.WELCOME_SKU, once per user.

    Returns:
        None if the setting is empty or the user already has one.

    Raises:
        InvalidOrder: the catalogue does not have the product yet; try again later.
    """
    if not settings.WELCOME_SKU or Order.objects.filter(customer_id=user_id, is_welcome=True).exists():
        return None
    line = Line(sku=settings.WELCOME_SKU, quantity=1)
    return place_order(customer_id=user_id, lines=[line], is_welcome=True, cause=cause)


class CatalogueEntry(NamedTuple):
    """A product in the catalogue."""

    sku: str
    name: str
    price: Decimal
    currency: str
    active: bool


def _validate_against_catalogue(
    orders: Sequence[NewOrder], *, errors: Callable[[int, Iterator[FieldError]], Iterable[FieldError]]
) -> dict[str, CatalogueEntry]:
    """Validate orders and return the products in them, by SKU.

    Args:
        errors: receives the index of an order and its errors, and returns the errors to raise.

    Raises:
        InvalidOrder: an order is wrong by itself, or does not match the catalogue.
    """
    if wrong := [error for index, order in enumerate(orders) for error in errors(index, line_errors(order.lines))]:
        raise InvalidOrder(*wrong)
    rows = execute(
        f"SELECT sku, name, price, currency, active FROM orders_catalogueitem WHERE {is_among('sku', 'text')}",  # noqa: S608
        as_list(sorted({line.sku for order in orders for line in order.lines})),
    )
    catalogue = {sku: CatalogueEntry(sku, name, to_decimal(price), *rest) for sku, name, price, *rest in rows}
    if wrong := [
        error for index, order in enumerate(orders) for error in errors(index, catalogue_errors(order.lines, catalogue))
    ]:
        raise InvalidOrder(*wrong)
    return catalogue


def _total(lines: Sequence[Line], catalogue: Mapping[str, CatalogueEntry]) -> Decimal:
    return sum((line.quantity * catalogue[line.sku].price for line in lines), Decimal(0))


#: The columns that are passed for each order and for each line, with their types in PostgreSQL.
_ORDER_COLUMNS = {
    "id": "uuid",
    "customer_id": "uuid",
    "currency": "text",
    "total": "numeric",
    "is_welcome": "boolean",
    "event_id": "uuid",
}
_LINE_COLUMNS = {"order_id": "uuid", "sku": "text", "name": "text", "quantity": "int", "unit_price": "numeric"}


def _insert(orders: Sequence[NewOrder], catalogue: Mapping[str, CatalogueEntry]) -> list[tuple[UUID, datetime]]:
    """Write orders with their lines and first history entry, publish them, and return their ids and times.

    The caller opens the transaction.
    """
    if not orders:
        return []
    ids = [uuid7() for _ in orders]
    numbered = list(zip(ids, orders, strict=True))
    # The orders come last because only the last statement returns rows; foreign keys are checked at commit.
    placed = execute_together(
        """
        INSERT INTO orders_orderline (order_id, sku, name, quantity, unit_price)
        SELECT order_id, sku, name, quantity, unit_price FROM line
        """,
        """
        INSERT INTO orders_orderchange (order_id, sequence, from_status, to_status, event_id, reason)
        SELECT id, 1, '', 'placed', event_id, '' FROM placed
        """,
        """
        INSERT INTO orders_order (id, customer_id, status, version, currency, total, reason, is_welcome)
        SELECT id, customer_id, 'placed', 1, currency, total, '', is_welcome FROM placed
        RETURNING id, placed_at
        """,
        placed=_order_table(numbered, catalogue),
        line=_line_table(numbered, catalogue),
    )
    publish(
        *(
            OrderPlaced(
                order_id=order_id,
                customer_id=order.customer_id,
                lines=list(order.lines),
                sequence=1,
                cause=order.cause,
            )
            for order_id, order in numbered
        )
    )
    times = {to_uuid(order_id): to_time(placed_at) for order_id, placed_at in placed}
    return [(order_id, times[order_id]) for order_id in ids]


def _order_table(orders: Iterable[tuple[UUID, NewOrder]], catalogue: Mapping[str, CatalogueEntry]) -> Rows:
    rows = (
        {
            "id": order_id,
            "customer_id": order.customer_id,
            "currency": catalogue[order.lines[0].sku].currency,
            "total": _total(order.lines, catalogue),
            "is_welcome": order.is_welcome,
            "event_id": order.cause.id if order.cause else None,
        }
        for order_id, order in orders
    )
    return Rows(_ORDER_COLUMNS, rows)


def _line_table(orders: Iterable[tuple[UUID, NewOrder]], catalogue: Mapping[str, CatalogueEntry]) -> Rows:
    rows = (
        {
            "order_id": order_id,
            "sku": line.sku,
            "name": catalogue[line.sku].name,
            "quantity": line.quantity,
            "unit_price": catalogue[line.sku].price,
        }
        for order_id, order in orders
        for line in order.lines
    )
    return Rows(_LINE_COLUMNS, rows)


def line_errors(lines: Sequence[Line]) -> Iterator[FieldError]:
    """Check lines without the catalogue."""
    if not 1 <= len(lines) <= MAX_LINES:
        detail = f"An order has 1 to {MAX_LINES} lines; this one has {len(lines)}."
        yield FieldError(field="lines", code="number_of_lines", detail=detail)
        return
    first_with: dict[str, int] = {}
    for index, line in enumerate(lines):
        if first_with.setdefault(line.sku, index) != index:
            detail = f"lines[{first_with[line.sku]}] has this SKU too. Send one line with the sum of the quantities."
            yield FieldError(field=f"lines[{index}].sku", code="repeated_sku", detail=detail)
        if not 1 <= line.quantity <= MAX_UNITS_PER_LINE:
            detail = f"Must be a whole number from 1 to {MAX_UNITS_PER_LINE}."
            yield FieldError(field=f"lines[{index}].quantity", code="quantity_out_of_range", detail=detail)


def catalogue_errors(lines: Sequence[Line], catalogue: Mapping[str, CatalogueEntry]) -> Iterator[FieldError]:
    """Check lines against the catalogue."""
    if errors := list(_entry_errors(lines, catalogue)):
        yield from errors
    elif (total := _total(lines, catalogue)) > MAX_TOTAL:
        detail = f"The total is {total}; the maximum is {MAX_TOTAL}. Split the order into several."
        yield FieldError(field="lines", code="total_too_high", detail=detail)


def _entry_errors(lines: Sequence[Line], catalogue: Mapping[str, CatalogueEntry]) -> Iterator[FieldError]:
    currency = next((catalogue[line.sku].currency for line in lines if line.sku in catalogue), "")
    for index, line in enumerate(lines):
        field, item = f"lines[{index}].sku", catalogue.get(line.sku)
        if item is None:
            detail = "No product has this SKU. Choose one from GET /api/v1/products/."
            yield FieldError(field=field, code="unknown_sku", detail=detail)
        elif not item.active:
            detail = "This product is not for sale now. Remove the line."
            yield FieldError(field=field, code="not_for_sale", detail=detail)
        elif item.currency != currency:
            detail = f"Priced in {item.currency}, but the first line in {currency}. Place one order for each currency."
            yield FieldError(field=field, code="mixed_currencies", detail=detail)
