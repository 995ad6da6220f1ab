"""A file of arriving stock, as people keep it in a spreadsheet: CSV read into rows, with each bad one named."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from inventory.operations import Arrival, BadLine
from project.api.errors import FieldError

REQUIRED = ("sku", "location", "quantity")
OPTIONAL = ("reason", "name", "price", "currency")


class UnreadableFile(Exception):
    """It is no table of arrivals, so that its rows cannot even be told apart; the message says what to do."""


def read_file(path: Path) -> tuple[list[Arrival], list[BadLine]]:
    """The rows of a file, and what is wrong with those that are none.

    Raises:
        UnreadableFile: it is empty, not UTF-8, not CSV, or lacks a column.
    """
    records = _records(_decoded(path))
    _line, header = next(records, (0, []))
    columns = _columns(header)
    default_reason = f"import {path.name}".encode(errors="replace").decode()
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
        raise UnreadableFile("there is no row below the header")
    return arrivals, bad


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile("this is UTF-16. Save it as UTF-8 (in a spreadsheet: 'CSV UTF-8') and try again")
    try:
        return data.decode("utf-8-sig")  # with a byte order mark or without
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x}). "
            "Save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8') and try again"
        ) from error


def _records(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The records that hold something, each with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(
                f"line {begins}: {error}. Put a value with a comma or a quotation mark between quotation marks, "
                "and double those within it"
            ) from error
        if values is None:
            return
        if any(value.strip() for value in values):
            yield begins, values
        begins = reader.line_num + 1


def _columns(header: Sequence[str]) -> Sequence[str]:
    """The names of the columns.

    Raises:
        UnreadableFile: one is missing, unknown or there twice.
    """
    names = [name.strip().lower() for name in header]
    if not names:
        raise UnreadableFile(f"it is empty. Its first line names the columns: {', '.join((*REQUIRED, *OPTIONAL))}")
    if missing := [name for name in REQUIRED if name not in names]:
        raise UnreadableFile(
            f"the header lacks {', '.join(missing)}; it is {','.join(header)!r}. "
            "Begin with a line that names the columns, separated by commas"
        )
    if unknown := [name for name in names if name not in (*REQUIRED, *OPTIONAL)]:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        raise UnreadableFile(f"no use for the column {unknown[0]!r}. Remove it, or give it one of these names: {known}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UnreadableFile(f"the column {twice[0]} is there twice. Remove one")
    return names


def _shape_errors(values: Sequence[str], columns: Sequence[str]) -> Iterator[FieldError]:
    if len(values) != len(columns):
        detail = (
            f"Has {len(values)} values, the header {len(columns)}. "
            "Separate by commas, and put a value that has one between quotation marks."
        )
        yield FieldError(field="row", code="number_of_values", detail=detail)


def _field_errors(fields: Mapping[str, str]) -> Iterator[FieldError]:
    for name in REQUIRED:
        if not fields[name]:
            yield FieldError(field=name, code="required", detail="Is empty. Fill it in.")
    for name, value in fields.items():
        if "\0" in value:
            yield FieldError(field=name, code="null_character", detail="Has a null character. Type it anew.")
    if fields["quantity"] and not re.fullmatch(r"[+-]?[0-9]{1,18}", fields["quantity"]):
        detail = f"{_shown(fields['quantity'])} is no whole number. Write digits alone, as in 12."
        yield FieldError(field="quantity", code="not_a_number", detail=detail)
    price = fields.get("price")
    if price and not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", price):
        detail = f"{_shown(price)} is no price. Write digits and a point, as in 9.90."
        yield FieldError(field="price", code="not_a_price", detail=detail)


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}...")
