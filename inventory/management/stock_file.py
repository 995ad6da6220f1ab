"""Reading a CSV file of arriving stock, and naming each bad row."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from inventory.operations import Arrival, BadLine
from project.bus.text import escaped
from project.errors import FieldError

REQUIRED = ("sku", "location", "quantity")
OPTIONAL = ("reason", "name", "price", "currency")


class UnreadableFile(Exception):
    """The file is not a table of arrivals; the message says how to correct it."""


def read_file(path: Path) -> tuple[list[Arrival], list[BadLine]]:
    """Return the arrivals in a file, and the errors of the rows that cannot be read.

    Raises:
        UnreadableFile: the file is empty, not UTF-8, not CSV, or lacks a column.
    """
    records = _records(_decoded(path))
    _line, header = next(records, (0, []))
    columns = _columns(header)
    default_reason = escaped(f"import {path.name}".encode(errors="replace").decode())
    arrivals: list[Arrival] = []
    bad: list[BadLine] = []
    empty = True
    for line, values in records:
        empty = False
        fields = dict(zip(columns, (value.strip() for value in values), strict=False))
        errors = [*_shape_errors(values, columns)] or [*_field_errors(fields)]
        if errors:
            bad += [BadLine(line=line, error=error) for error in errors]
            continue
        price = fields.get("price")
        arrivals.append(
            Arrival(
                line=line,
                sku=fields["sku"],
                location=fields["location"],
                quantity=int(fields["quantity"]),
                reason=fields.get("reason") or default_reason,
                name=fields.get("name", ""),
                price=Decimal(price) if price else None,
                currency=fields.get("currency", ""),
            )
        )
    if empty:
        raise UnreadableFile("it has no row below the header")
    return arrivals, bad


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("this is UTF-16. Save it as UTF-8 (in a spreadsheet: 'CSV UTF-8') and try again")
    try:
        return data.decode("utf-8-sig")  # with or without a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x}). "
            "Save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8') and try again"
        ) from error


def _records(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Return the records that are not empty, each with the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(
                f"line {begins}: {error}. Put a value that contains a comma or a quotation mark between quotation "
                "marks, and double the quotation marks in it"
            ) from error
        if values is None:
            return
        if any(value.strip() for value in values):
            yield begins, values
        begins = reader.line_num + 1


def _columns(header: Sequence[str]) -> Sequence[str]:
    """Return the names of the columns.

    Raises:
        UnreadableFile: a column is missing, unknown or repeated.
    """
    names = [name.strip().lower() for name in header]
    if not names:
        raise UnreadableFile(f"it is empty. The first line must name the columns: {', '.join((*REQUIRED, *OPTIONAL))}")
    if missing := [name for name in REQUIRED if name not in names]:
        raise UnreadableFile(
            f"the header lacks {', '.join(missing)}; it is {','.join(header)!r}. "
            "Begin with a line that names the columns, separated by commas"
        )
    if unknown := [name for name in names if name not in (*REQUIRED, *OPTIONAL)]:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        raise UnreadableFile(f"the column {unknown[0]!r} is unknown. Remove it, or use one of these names: {known}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UnreadableFile(f"the column {twice[0]} is repeated. Remove one of the two")
    return names


def _shape_errors(values: Sequence[str], columns: Sequence[str]) -> Iterator[FieldError]:
    if len(values) != len(columns):
        detail = (
            f"Has {len(values)} values, the header {len(columns)}. "
            "Separate values by commas, and put a value that contains a comma between quotation marks."
        )
        yield FieldError(field="row", code="number_of_values", detail=detail)


def _field_errors(fields: Mapping[str, str]) -> Iterator[FieldError]:
    for name in REQUIRED:
        if not fields[name]:
            yield FieldError(field=name, code="required", detail="Is empty. Fill it in.")
    for name, value in fields.items():
        if "\0" in value:
            yield FieldError(field=name, code="null_character", detail="Contains a null character. Remove it.")
    if fields["quantity"] and not re.fullmatch(r"[+-]?[0-9]{1,18}", fields["quantity"]):
        detail = f"{_shown(fields['quantity'])} is not a whole number. Use digits only, as in 12."
        yield FieldError(field="quantity", code="not_a_number", detail=detail)
    price = fields.get("price")
    if price and not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", price):
        detail = f"{_shown(price)} is not a price. Use digits and a point, as in 9.90."
        yield FieldError(field="price", code="not_a_price", detail=detail)


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}...")
