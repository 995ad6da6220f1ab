"""What people do to stock: receive, correct and move it."""

from uuid import UUID

from django.db import transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.catalogue import unknown_sku
from inventory.operations.ledger import move, record
from project.api.errors import FieldError, InvalidInput

#: More units than this at once are a typing error.
MOST = 1_000_000_000


@transaction.atomic
def receive_stock(*, sku: str, location: str, quantity: int, reason: str = "", actor_id: UUID | None = None) -> Stock:
    """Put delivered units of a product into stock at a location; returns the stock as it is then.

    Raises:
        InvalidInput: an unknown SKU or location, a quantity that is not from 1 to `MOST`, or neither reason nor actor.
    """
    product, (place,) = _find(
        *_quantity_errors(quantity, least=1),
        *(_reason_errors(reason) if actor_id is None else ()),
        sku=sku,
        location=location,
    )
    (stock,) = _lock_stock(product, place)
    record([move(stock, Movement.Kind.RECEIVED, on_hand=quantity, actor_id=actor_id, reason=reason)])
    return stock


@transaction.atomic
def adjust_stock(*, sku: str, location: str, quantity: int, reason: str, actor_id: UUID | None = None) -> Stock:
    """Correct what is on hand by `quantity`, which may be negative; returns the stock as it is then.

    Raises:
        InvalidInput: an unknown SKU or location, no reason, a quantity of 0, beyond `MOST`, or one that would leave
            less than is reserved.
    """
    product, (place,) = _find(
        *_quantity_errors(quantity, least=-MOST), *_reason_errors(reason), sku=sku, location=location
    )
    (stock,) = _lock_stock(product, place)
    _refuse_more_than_available(stock, -quantity)
    record([move(stock, Movement.Kind.ADJUSTED, on_hand=quantity, actor_id=actor_id, reason=reason)])
    return stock


@transaction.atomic
def transfer_stock(
    *, sku: str, source: str, target: str, quantity: int, reason: str, actor_id: UUID | None = None
) -> tuple[Stock, Stock]:
    """Move units of a product from one location to another; returns both stocks as they are then.

    Raises:
        InvalidInput: an unknown SKU or location, twice the same location, no reason, a quantity that is not from 1 to
            `MOST` or more than the source has unreserved.
    """
    same = FieldError(field="target", code="same", detail="Source and target are the same location. Name two.")
    product, (origin, destination) = _find(
        *_quantity_errors(quantity, least=1),
        *_reason_errors(reason),
        *((same,) if source == target else ()),
        sku=sku,
        source=source,
        target=target,
    )
    outgoing, incoming = _lock_stock(product, origin, destination)
    _refuse_more_than_available(outgoing, quantity)
    record(
        [
            move(stock, Movement.Kind.TRANSFERRED, on_hand=delta, actor_id=actor_id, reason=reason)
            for stock, delta in ((outgoing, -quantity), (incoming, quantity))
        ]
    )
    return outgoing, incoming


def _find(*errors: FieldError, sku: str, **codes: str) -> tuple[Product, list[Location]]:
    """The product and the locations, or everything at once that is wrong with the input."""
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
    """The product's stock rows at the locations, made where there are none, locked in the order of their ids."""
    Stock.objects.bulk_create(
        [Stock(product=product, location=location) for location in sorted(locations, key=lambda place: place.pk)],
        ignore_conflicts=True,
    )
    rows = Stock.objects.select_for_update().filter(product=product, location__in=locations).order_by("pk")
    at = {stock.location_id: stock for stock in rows}
    return [at[location.pk] for location in locations]


def _refuse_more_than_available(stock: Stock, taken: int) -> None:
    if taken > stock.available:
        detail = f"{stock.on_hand} are on hand and {stock.reserved} of them reserved: at most {stock.available} can go."
        raise InvalidInput(FieldError(field="quantity", code="not_available", detail=detail))


def _quantity_errors(quantity: int, *, least: int) -> list[FieldError]:
    if least <= quantity <= MOST and quantity != 0:
        return []
    detail = f"Must be a whole number from {least} to {MOST}, and not 0." if least < 0 else f"Must be from 1 to {MOST}."
    return [FieldError(field="quantity", code="out_of_range", detail=detail)]


def _reason_errors(reason: str) -> list[FieldError]:
    if reason.strip():
        return []
    return [FieldError(field="reason", code="required", detail="Say why, for the ledger.")]
