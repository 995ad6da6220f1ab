"""Running `manage.py import_stock` in tests."""

from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management import CommandError, call_command
from django.db.models import Model

from inventory.models import Location, Movement, Product, Stock

HEADER = "sku,location,quantity,reason,name,price,currency\n"


class ImportResult(NamedTuple):
    exit_code: int
    error: str
    output: str
    bad_rows: list[str]


def import_stock(file: Path, *options: str) -> ImportResult:
    out, err = StringIO(), StringIO()
    exit_code, message = 0, ""
    try:
        call_command("import_stock", str(file), *options, stdout=out, stderr=err)
    except CommandError as error:
        exit_code, message = error.returncode, str(error)
    return ImportResult(exit_code, message, out.getvalue(), err.getvalue().splitlines())


def all_rows() -> list[list[dict[str, Any]]]:
    """Every row that an import can change, to compare before and after."""
    models: list[type[Model]] = [Product, Location, Stock, Movement]
    return [list(model._default_manager.order_by("pk").values()) for model in models]
