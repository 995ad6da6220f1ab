"""Receiving, adjusting and transferring stock: the changes that people make."""

from uuid import UUID

from django.db import transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.catalogue import unknown_sku
from inventory.operations.ledger import change, write_movements
from project.errors import FieldError, InvalidInput
from project.plain_text import is_blank, line_errors

#: More units than this in one change must be a typing error.
MAX_UNITS = 1_000_000_000


@transaction.atomic
def receive_stock(*, sku: str, location: str, quantity: int, reason: str = "", actor_id: UUID | None = None) -> Stock:
    """Add delivered units of a product to the stock at a location, and return the new stock.

    Example:
        receive_stock(sku="MUG-STONE", location="BER", quantity=40, reason="delivery 1207")

    Raises:
        InvalidInput: the SKU or location is unknown, the quantity is not from 1 to `MAX_UNITS`, the reason is too long
            or not one plain line, or there is neither a reason nor an actor.
    """
    product, (place,) = _find(
        *_quantity_errors(quantity, least=1),
        *reason_errors(reason, required=actor_id is None),
        sku=sku,
        location=location,
    )
    (stock,) = _lock_stock(product, place)
    write_movements([change(stock, Movement.Kind.RECEIVED, on_hand=quantity, actor_id=actor_id, reason=reason)])
    return stock


@transaction.atomic
def adjust_stock(*, sku: str, location: str, quantity: int, reason: str, actor_id: UUID | None = None) -> Stock:
    """Correct the units on hand by `quantity`, which may be negative, and return the new stock.

    Raises:
        InvalidInput: the SKU or location is unknown, there is no reason, or the quantity is 0, exceeds `MAX_UNITS`, or
            would leave fewer units than are reserved.
    """
    product, (place,) = _find(
        *_quantity_errors(quantity, least=-MAX_UNITS), *reason_errors(reason), sku=sku, location=location
    )
    (stock,) = _lock_stock(product, place)
    _refuse_more_than_available(stock, -quantity)
    write_movements([change(stock, Movement.Kind.ADJUSTED, on_hand=quantity, actor_id=actor_id, reason=reason)])
    return stock


@transaction.atomic
def transfer_stock(
    *, sku: str, source: str, target: str, quantity: int, reason: str, actor_id: UUID | None = None
) -> tuple[Stock, Stock]:
    """Move units of a product from one location to another, and return both new stocks.

    Raises:
        InvalidInput: the SKU or a location is unknown, both locations are the same, there is no reason, or the quantity
            is not from 1 to `MAX_UNITS` or exceeds the unreserved units at the source.
    """
    same = FieldError(field="target", code="same", detail="Source and target are the same location. Choose two.")
    product, (origin, destination) = _find(
        *_quantity_errors(quantity, least=1),
        *reason_errors(reason),
        *((same,) if source == target else ()),
        sku=sku,
        source=source,
        target=target,
    )
    outgoing, incoming = _lock_stock(product, origin, destination)
    _refuse_more_than_available(outgoing, quantity)
    write_movements(
        [
            change(stock, Movement.Kind.TRANSFERRED, on_hand=delta, actor_id=actor_id, reason=reason)
            for stock, delta in ((outgoing, -quantity), (incoming, quantity))
        ]
    )
    return outgoing, incoming


def _find(*errors: FieldError, sku: str, **codes: str) -> tuple[Product, list[Location]]:
    """Return the product and the locations, or raise InvalidInput with all errors of the input."""
    product = Product.objects.filter(sku=sku).first()
    locations = {location.code: location for location in Location.objects.filter(code__in=codes.values())}
    wrong = list(errors)
    if product is None:
        wrong.append(unknown_sku(sku))
    for field, code in codes.items():
        if code not in locations:
            detail = f"No location has the code {code!r}. Add the location first."
            wrong.append(FieldError(field=field, code="unknown", detail=detail))
    if wrong or product is None:
        raise InvalidInput(*wrong)
    return product, [locations[code] for code in codes.values()]


def _lock_stock(product: Product, *locations: Location) -> list[Stock]:
    """Lock the product's stock rows in the order of their ids, adding those that are missing."""
    Stock.objects.bulk_create(
        [Stock(product=product, location=location) for location in sorted(locations, key=lambda place: place.pk)],
        ignore_conflicts=True,
    )
    rows = Stock.objects.select_for_update().filter(product=product, location__in=locations).order_by("pk")
    at = {stock.location_id: stock for stock in rows}
    return [at[location.pk] for location in locations]


def _refuse_more_than_available(stock: Stock, taken: int) -> None:
    if taken > stock.available:
        figures = f"{stock.on_hand} are on hand and {stock.reserved} of them reserved"
        detail = f"{figures}: at most {stock.available} can be removed."
        raise InvalidInput(FieldError(field="quantity", code="not_available", detail=detail))


def _quantity_errors(quantity: int, *, least: int) -> list[FieldError]:
    if least <= quantity <= MAX_UNITS and quantity != 0:
        return []
    detail = (
        f"Must be a whole number from {least} to {MAX_UNITS}, and not 0."
        if least < 0
        else f"Must be from 1 to {MAX_UNITS}."
    )
    return [FieldError(field="quantity", code="out_of_range", detail=detail)]


def reason_errors(reason: str, *, required: bool = True) -> list[FieldError]:
    if required and is_blank(reason):
        return [FieldError(field="reason", code="required", detail="Give a reason for the ledger.")]
    return list(line_errors("reason", reason))
