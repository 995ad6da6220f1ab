"""Receiving the many rows of a file: they are inspected first, then received in one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import TypeVar

from django.db import transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.catalogue import insert_products, validate
from inventory.operations.ledger import change, write_movements
from inventory.operations.stock import MAX_UNITS
from project.errors import FieldError, InvalidInput
from project.plain_text import line_errors
from project.sql import Rows, execute_together, for_update

#: Lines written by one statement: a few megabytes of JSON at most.
LINES_PER_STATEMENT = 5_000
CURRENCY = "EUR"
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """Units of one product that arrive at a location. Name and price allow the product to be new."""

    line: int
    sku: str
    location: str
    quantity: int
    reason: str
    name: str = ""
    price: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """An error in one field of one line."""

    line: int
    error: FieldError


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The arrivals that can be received, the products to add for them, and the errors of the others."""

    good: Sequence[Arrival]
    new_products: Sequence[Product]
    bad: Sequence[BadLine]


def inspect_arrivals(*, arrivals: Sequence[Arrival]) -> Inspection:
    """Find out which arrivals can be received, without changing anything.

    An unknown SKU is a new product if one line gives its name and price; other lines must not contradict that one.
    """
    unknown = {arrival.sku for arrival in arrivals} - _known_skus({arrival.sku for arrival in arrivals})
    locations = set(Location.objects.values_list("code", flat=True))
    first: dict[str, Arrival] = {}
    drafts: dict[str, Product] = {}
    for arrival in arrivals:
        if arrival.sku in unknown and arrival.sku not in first and arrival.name and arrival.price is not None:
            first[arrival.sku], drafts[arrival.sku] = arrival, _draft(arrival, arrival.price)
    malformed = {sku: list(_draft_errors(draft)) for sku, draft in drafts.items()}

    good, bad = [], []
    for arrival in arrivals:
        errors = [*_quantity_errors(arrival), *_location_errors(arrival, locations)]
        errors += line_errors("reason", arrival.reason)
        if arrival.sku in first and arrival is first[arrival.sku]:
            errors += malformed[arrival.sku]
        elif arrival.sku in unknown:
            errors += _unknown_product_errors(arrival, first.get(arrival.sku), sound=not malformed.get(arrival.sku))
        if errors:
            bad += [BadLine(line=arrival.line, error=error) for error in errors]
        else:
            good.append(arrival)
    needed = {arrival.sku for arrival in good}
    return Inspection(good=good, new_products=[drafts[sku] for sku in drafts if sku in needed], bad=bad)


@transaction.atomic
def receive_arrivals(*, inspection: Inspection) -> None:
    """Add the new products and receive the good arrivals; each becomes one movement."""
    for products in _batches(sorted(inspection.new_products, key=attrgetter("sku"))):
        insert_products(products)
    stock = _lock_stock({(arrival.sku, arrival.location) for arrival in inspection.good})
    for arrivals in _batches(inspection.good):
        write_movements(
            [
                change(
                    stock[arrival.sku, arrival.location],
                    Movement.Kind.RECEIVED,
                    on_hand=arrival.quantity,
                    reason=arrival.reason,
                )
                for arrival in arrivals
            ]
        )


def _known_skus(skus: Iterable[str]) -> set[str]:
    known = execute_together(
        "SELECT product.sku FROM entry JOIN inventory_product product ON product.sku = entry.sku",
        entry=Rows({"sku": "text"}, ({"sku": sku} for sku in skus)),
    )
    return {sku for (sku,) in known}


def _draft(arrival: Arrival, price: Decimal) -> Product:
    currency = arrival.currency or CURRENCY
    return Product(sku=arrival.sku, name=arrival.name, price=price, currency=currency, version=1)


def _draft_errors(draft: Product) -> Iterator[FieldError]:
    try:
        validate(draft, by_database=False)
    except InvalidInput as refusal:
        yield from refusal.errors


def _quantity_errors(arrival: Arrival) -> Iterator[FieldError]:
    if not 1 <= arrival.quantity <= MAX_UNITS:
        detail = f"Must be from 1 to {MAX_UNITS:,}. Correct it, or remove the row if nothing arrived."
        yield FieldError(field="quantity", code="out_of_range", detail=detail)


def _location_errors(arrival: Arrival, known: set[str]) -> Iterator[FieldError]:
    if arrival.location not in known:
        detail = f"No location has the code {arrival.location!r}. Correct it, or add the location first."
        yield FieldError(field="location", code="unknown", detail=detail)


def _unknown_product_errors(arrival: Arrival, introduced: Arrival | None, *, sound: bool) -> Iterator[FieldError]:
    """Check an arrival of an unknown product against the line that introduces the product."""
    if introduced is None:
        detail = f"No product has the SKU {arrival.sku!r}. Correct it, or fill in name and price to add the product."
        yield FieldError(field="sku", code="unknown", detail=detail)
        return
    if not sound:
        detail = f"Line {introduced.line} adds this product and has errors. Correct that line."
        yield FieldError(field="sku", code="unknown", detail=detail)
        return
    said = (
        ("name", arrival.name, introduced.name),
        ("price", arrival.price, introduced.price),
        ("currency", arrival.currency, introduced.currency or CURRENCY),
    )
    for name, here, there in said:
        if here not in ("", None, there):
            detail = f"Line {introduced.line} has {str(there)!r} for the same product. Make both the same."
            yield FieldError(field=name, code="contradiction", detail=detail)


def _lock_stock(places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Stock]:
    """Lock stock rows in the order of their ids, adding those that are missing; return them by SKU and location."""
    entry = Rows({"sku": "text", "code": "text"}, ({"sku": sku, "code": code} for sku, code in places))
    joined = """
        FROM entry
        JOIN inventory_product product ON product.sku = entry.sku
        JOIN inventory_location location ON location.code = entry.code
    """
    execute_together(
        f"""
        INSERT INTO inventory_stock (product_id, location_id) SELECT product.id, location.id {joined}
        WHERE true ORDER BY product.id, location.id ON CONFLICT DO NOTHING
        """,
        entry=entry,
    )
    rows = execute_together(
        f"""
        SELECT entry.sku, entry.code, stock.id, stock.on_hand, stock.reserved {joined}
        JOIN inventory_stock stock ON stock.product_id = product.id AND stock.location_id = location.id
        ORDER BY stock.id {for_update("stock")}
        """,
        entry=entry,
    )
    return {(sku, code): Stock(pk=pk, on_hand=on_hand, reserved=reserved) for sku, code, pk, on_hand, reserved in rows}


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), LINES_PER_STATEMENT):
        yield items[start : start + LINES_PER_STATEMENT]
