"""Adding many products and stocking each up to a wanted number of units."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.catalogue import insert_products, validate
from inventory.operations.ledger import change, write_movements
from inventory.operations.stock import MAX_UNITS, reason_errors
from project.errors import FieldError, InvalidInput


@dataclass(frozen=True, kw_only=True)
class Supply:
    """A product and the number of units to have available; name and price are used if the product is new."""

    sku: str
    name: str
    price: Decimal
    units: int


@transaction.atomic
def supply(*, wanted: Sequence[Supply], location: str, reason: str) -> None:
    """Add the missing products, and receive at the location the units that each product lacks.

    Existing products keep their name and price, and surplus units stay.

    Raises:
        InvalidInput: a field of a new product is malformed, units are not from 0 to `MAX_UNITS`, no active location has
            the code, or there is no reason; nothing is changed.
    """
    errors = [
        FieldError(field="units", code="out_of_range", detail=f"{item.sku}: must be from 0 to {MAX_UNITS}.")
        for item in wanted
        if not 0 <= item.units <= MAX_UNITS
    ]
    errors += reason_errors(reason)
    place = Location.objects.filter(code=location, active=True).first()
    if place is None:
        detail = f"No active location has the code {location!r}. Add it, or activate it."
        errors.append(FieldError(field="location", code="unknown", detail=detail))
    if errors or place is None:
        raise InvalidInput(*errors)

    _add_missing(wanted)
    units = {item.sku: item.units for item in wanted}
    products = Product.objects.in_bulk(list(units), field_name="sku")
    Stock.objects.bulk_create(
        [
            Stock(product=product, location=place)
            for product in sorted(products.values(), key=lambda product: product.pk)
            if units[product.sku]
        ],
        ignore_conflicts=True,
    )
    # All rows that count are locked, by id as everywhere, so that the number of lacking units stays true.
    rows = (
        Stock.objects.select_for_update(of=("self",))
        .filter(product__in=products.values(), location__active=True)
        .select_related("product")
        .order_by("pk")
    )
    available: Counter[str] = Counter()
    here: dict[str, Stock] = {}
    for row in rows:
        available[row.product.sku] += row.available
        if row.location_id == place.pk:
            here[row.product.sku] = row
    write_movements(
        [
            change(here[sku], Movement.Kind.RECEIVED, on_hand=number - available[sku], reason=reason)
            for sku, number in units.items()
            if number > available[sku]
        ]
    )


def _add_missing(wanted: Sequence[Supply]) -> None:
    known = set(Product.objects.filter(sku__in=[item.sku for item in wanted]).values_list("sku", flat=True))
    drafts = [
        Product(sku=item.sku, name=item.name, price=item.price, version=1) for item in wanted if item.sku not in known
    ]
    errors: list[FieldError] = []
    for draft in drafts:
        try:
            validate(draft, by_database=False)
        except InvalidInput as refusal:
            errors += (replace(error, detail=f"{draft.sku!r}: {error.detail}") for error in refusal.errors)
    if errors:
        raise InvalidInput(*errors)
    insert_products(drafts)
