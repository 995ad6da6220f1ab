"""Deliveries of many rows at once, as a file lists them: inspected first, then received all together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import TypeVar

from django.db import connection, transaction

from inventory.models import Location, Movement, Product, Stock
from inventory.operations.catalogue import check, insert_products
from inventory.operations.ledger import move, record
from inventory.operations.stock import MOST
from project.api.errors import FieldError, InvalidInput
from project.bus.sql import as_json, recordset

#: Rows to a statement: some megabytes of JSON at most.
CHUNK = 5_000
CURRENCY = "EUR"
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """Units of one product that arrive at a location; with name and price they may be of a product that is new."""

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
    """What is wrong with one field of one line."""

    line: int
    error: FieldError


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What can be received, the products to be added for it, and what is wrong with the rest."""

    good: Sequence[Arrival]
    new_products: Sequence[Product]
    bad: Sequence[BadLine]


def inspect_arrivals(*, arrivals: Sequence[Arrival]) -> Inspection:
    """Find out which rows can be received. Changes nothing.

    A SKU that no product has is a new product's if some row says its name and price; the others must not say otherwise.
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
        if arrival.sku in first and arrival is first[arrival.sku]:
            errors += malformed[arrival.sku]
        elif arrival.sku in unknown:
            errors += _stranger_errors(arrival, first.get(arrival.sku), sound=not malformed.get(arrival.sku))
        if errors:
            bad += [BadLine(line=arrival.line, error=error) for error in errors]
        else:
            good.append(arrival)
    needed = {arrival.sku for arrival in good}
    return Inspection(good=good, new_products=[drafts[sku] for sku in drafts if sku in needed], bad=bad)


@transaction.atomic
def receive_arrivals(*, inspection: Inspection) -> None:
    """Add the new products and receive all that was found good, set-wise; each row becomes a movement."""
    for products in _chunks(sorted(inspection.new_products, key=attrgetter("sku"))):
        insert_products(products)
    stock = _lock_stock({(arrival.sku, arrival.location) for arrival in inspection.good})
    for arrivals in _chunks(inspection.good):
        record(
            [
                move(
                    stock[arrival.sku, arrival.location],
                    Movement.Kind.RECEIVED,
                    on_hand=arrival.quantity,
                    reason=arrival.reason,
                )
                for arrival in arrivals
            ]
        )


def _known_skus(skus: Iterable[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT product.sku FROM {recordset(sku='text')} "  # noqa: S608
            "JOIN inventory_product product ON product.sku = entry.sku",
            [as_json({"sku": sku} for sku in skus)],
        )
        return {sku for (sku,) in cursor.fetchall()}


def _draft(arrival: Arrival, price: Decimal) -> Product:
    currency = arrival.currency or CURRENCY
    return Product(sku=arrival.sku, name=arrival.name, price=price, currency=currency, version=1)


def _draft_errors(draft: Product) -> Iterator[FieldError]:
    try:
        check(draft, by_database=False)
    except InvalidInput as refusal:
        yield from refusal.errors


def _quantity_errors(arrival: Arrival) -> Iterator[FieldError]:
    if not 1 <= arrival.quantity <= MOST:
        detail = f"Must be from 1 to {MOST:,}. Correct it, or leave the row out if nothing arrived."
        yield FieldError(field="quantity", code="out_of_range", detail=detail)


def _location_errors(arrival: Arrival, known: set[str]) -> Iterator[FieldError]:
    if arrival.location not in known:
        detail = f"No location has the code {arrival.location!r}. Correct it, or add the location first."
        yield FieldError(field="location", code="unknown", detail=detail)


def _stranger_errors(arrival: Arrival, introduced: Arrival | None, *, sound: bool) -> Iterator[FieldError]:
    """What is wrong with a row whose SKU no product has, in the light of the row that introduces the product."""
    if introduced is None:
        detail = f"No product has the SKU {arrival.sku!r}. Correct it, or fill in name and price to add the product."
        yield FieldError(field="sku", code="unknown", detail=detail)
        return
    if not sound:
        detail = f"Line {introduced.line} is to add this product, and is wrong itself. Correct that one."
        yield FieldError(field="sku", code="unknown", detail=detail)
        return
    said = (
        ("name", arrival.name, introduced.name),
        ("price", arrival.price, introduced.price),
        ("currency", arrival.currency, introduced.currency or CURRENCY),
    )
    for name, here, there in said:
        if here not in ("", None, there):
            detail = f"Line {introduced.line} says {str(there)!r} of the same product. Make them agree."
            yield FieldError(field=name, code="contradiction", detail=detail)


def _lock_stock(places: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Stock]:
    """The stock rows by SKU and location, made where there are none, locked in the order of their ids."""
    rows = as_json({"sku": sku, "code": code} for sku, code in places)
    joined = f"""
        FROM {recordset(sku="text", code="text")}
        JOIN inventory_product product ON product.sku = entry.sku
        JOIN inventory_location location ON location.code = entry.code
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO inventory_stock (product_id, location_id) SELECT product.id, location.id {joined}
            WHERE true ORDER BY product.id, location.id ON CONFLICT DO NOTHING
            """,
            [rows],
        )
    lock = "FOR UPDATE OF stock" if connection.features.has_select_for_update_of else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT entry.sku, entry.code, stock.id, stock.on_hand, stock.reserved {joined}
            JOIN inventory_stock stock ON stock.product_id = product.id AND stock.location_id = location.id
            ORDER BY stock.id {lock}
            """,
            [rows],
        )
        return {
            (sku, code): Stock(pk=pk, on_hand=on_hand, reserved=reserved)
            for sku, code, pk, on_hand, reserved in cursor.fetchall()
        }


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
