"""Placing orders: what is asked for is checked against the catalogue, written, and published."""

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
from project.api.errors import FieldError, InvalidInput
from project.bus.events import Event
from project.bus.outbox import publish
from project.bus.sql import Table, among, as_json, listed, run, run_all, time_of, uuid_of
from project.events import Line, OrderPlaced

MOST_LINES = 100
MOST_UNITS = 10_000
HIGHEST_TOTAL = Decimal("9999999999.99")  # what the column holds
CENT = Decimal("0.01")


class InvalidOrder(InvalidInput):
    """An order cannot be like that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOrder:
    """An order that is asked for."""

    customer_id: UUID
    lines: Sequence[Line]
    #: Whether it greets a new customer, who can have but one such order.
    is_welcome: bool = False
    #: The event that led to it, if one did.
    cause: Event | None = None


def place_order(
    *, customer_id: UUID, lines: Sequence[Line], is_welcome: bool = False, cause: Event | None = None
) -> Order:
    """Take an order at today's prices and publish OrderPlaced; nothing is reserved yet.

    NewOrder tells of the arguments.

    Raises:
        InvalidOrder: naming each line that is wrong; nothing was written.
    """
    wanted = NewOrder(customer_id=customer_id, lines=lines, is_welcome=is_welcome, cause=cause)
    catalogue = _catalogue_for([wanted], errors=lambda _, found: found)
    ((order_id, placed_at),) = _insert([wanted], catalogue)
    # Whoever shows the order need not read back what was just written.
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
    order.remember_lines(
        OrderLine(order=order, sku=item.sku, name=item.name, quantity=line.quantity, unit_price=item.price)
        for line, item in ((line, catalogue[line.sku]) for line in lines)
    )
    return order


def place_orders(*, orders: Sequence[NewOrder]) -> list[UUID]:
    """Take many orders in one transaction, as `place_order` takes one: the same few statements, however many.

    Returns:
        Their ids, in the order given.

    Raises:
        InvalidOrder: naming each order and line that is wrong; none was taken.
    """
    catalogue = _catalogue_for(
        orders, errors=lambda index, found: (replace(error, field=f"orders[{index}].{error.field}") for error in found)
    )
    return [order_id for order_id, _ in _insert(orders, catalogue)]


def open_welcome_order(*, user_id: UUID, cause: Event | None = None) -> Order | None:
    """Place the order that greets a new user: one unit of settings.WELCOME_SKU, once per user; none set, no order.

    Raises:
        InvalidOrder: the catalogue does not have the product, or not yet; try again later.
    """
    if not settings.WELCOME_SKU or Order.objects.filter(customer_id=user_id, is_welcome=True).exists():
        return None
    line = Line(sku=settings.WELCOME_SKU, quantity=1)
    return place_order(customer_id=user_id, lines=[line], is_welcome=True, cause=cause)


class Item(NamedTuple):
    """What the catalogue says of a product."""

    sku: str
    name: str
    price: Decimal
    currency: str
    active: bool


def _catalogue_for(
    orders: Sequence[NewOrder], *, errors: Callable[[int, Iterator[FieldError]], Iterable[FieldError]]
) -> dict[str, Item]:
    """What the catalogue says of the products in orders.

    Args:
        errors: names what is wrong with the so-manyth of the orders.

    Raises:
        InvalidOrder: something is wrong with one of them: by itself, or in the light of what is for sale.
    """
    if wrong := [error for index, order in enumerate(orders) for error in errors(index, line_errors(order.lines))]:
        raise InvalidOrder(*wrong)
    rows = run(
        f"SELECT sku, name, price, currency, active FROM orders_catalogueitem WHERE {among('sku', 'text')}",  # noqa: S608
        listed(sorted({line.sku for order in orders for line in order.lines})),
    )
    if connection.vendor == "sqlite":  # knows no decimals
        rows = [(sku, name, Decimal(str(price)).quantize(CENT), *rest) for sku, name, price, *rest in rows]
    catalogue = {row[0]: Item(*row) for row in rows}
    if wrong := [
        error for index, order in enumerate(orders) for error in errors(index, catalogue_errors(order.lines, catalogue))
    ]:
        raise InvalidOrder(*wrong)
    return catalogue


def _total(lines: Sequence[Line], catalogue: Mapping[str, Item]) -> Decimal:
    return sum((line.quantity * catalogue[line.sku].price for line in lines), Decimal(0))


#: What is given of each order, and of each line.
_ORDER = {
    "id": "uuid",
    "customer_id": "uuid",
    "currency": "text",
    "total": "numeric",
    "is_welcome": "boolean",
    "event_id": "uuid",
}
_LINE = {"order_id": "uuid", "sku": "text", "name": "text", "quantity": "int", "unit_price": "numeric"}


def _insert(orders: Sequence[NewOrder], catalogue: Mapping[str, Item]) -> list[tuple[UUID, datetime]]:
    """Write orders with their lines and the beginning of their history, and publish them; their ids and times."""
    if not orders:
        return []
    ids = [uuid7() for _ in orders]
    numbered = list(zip(ids, orders, strict=True))
    rows = as_json(
        {
            "id": order_id,
            "customer_id": order.customer_id,
            "currency": catalogue[order.lines[0].sku].currency,
            "total": _total(order.lines, catalogue),
            "is_welcome": order.is_welcome,
            "event_id": order.cause.id if order.cause else None,
        }
        for order_id, order in numbered
    )
    lines = as_json(
        {
            "order_id": order_id,
            "sku": line.sku,
            "name": catalogue[line.sku].name,
            "quantity": line.quantity,
            "unit_price": catalogue[line.sku].price,
        }
        for order_id, order in numbered
        for line in order.lines
    )
    with transaction.atomic():
        # The orders last, as their rows are asked for: foreign keys are looked at when the transaction ends.
        placed = run_all(
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
            placed=Table(_ORDER, rows),
            line=Table(_LINE, lines),
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
    times = {uuid_of(order_id): time_of(placed_at) for order_id, placed_at in placed}
    return [(order_id, times[order_id]) for order_id in ids]


def line_errors(lines: Sequence[Line]) -> Iterator[FieldError]:
    """What is wrong with lines by themselves."""
    if not 1 <= len(lines) <= MOST_LINES:
        detail = f"An order has 1 to {MOST_LINES} lines; this one has {len(lines)}."
        yield FieldError(field="lines", code="number_of_lines", detail=detail)
        return
    first_with: dict[str, int] = {}
    for index, line in enumerate(lines):
        if first_with.setdefault(line.sku, index) != index:
            detail = f"lines[{first_with[line.sku]}] has this SKU too. Write one line with the sum of the quantities."
            yield FieldError(field=f"lines[{index}].sku", code="repeated_sku", detail=detail)
        if not 1 <= line.quantity <= MOST_UNITS:
            detail = f"Must be a whole number from 1 to {MOST_UNITS}."
            yield FieldError(field=f"lines[{index}].quantity", code="quantity_out_of_range", detail=detail)


def catalogue_errors(lines: Sequence[Line], catalogue: Mapping[str, Item]) -> Iterator[FieldError]:
    """What is wrong with lines in the light of what is for sale."""
    if errors := list(_item_errors(lines, catalogue)):
        yield from errors
    elif (total := _total(lines, catalogue)) > HIGHEST_TOTAL:
        detail = f"The order comes to {total}; at most {HIGHEST_TOTAL} is possible. Split it into several."
        yield FieldError(field="lines", code="total_too_high", detail=detail)


def _item_errors(lines: Sequence[Line], catalogue: Mapping[str, Item]) -> Iterator[FieldError]:
    currency = next((catalogue[line.sku].currency for line in lines if line.sku in catalogue), "")
    for index, line in enumerate(lines):
        field, item = f"lines[{index}].sku", catalogue.get(line.sku)
        if item is None:
            detail = "There is no product with this SKU. Take one from the list of products."
            yield FieldError(field=field, code="unknown_sku", detail=detail)
        elif not item.active:
            detail = "This product is not for sale now. Leave the line out."
            yield FieldError(field=field, code="not_for_sale", detail=detail)
        elif item.currency != currency:
            detail = f"Priced in {item.currency}, lines before it in {currency}. Place one order for each currency."
            yield FieldError(field=field, code="mixed_currencies", detail=detail)
