"""Imports of stock from files, for tests of both."""

from io import StringIO
from pathlib import Path

from django.core.management import CommandError, call_command

from inventory.models import Location, Movement, Product, Stock

HEADER = "sku,location,quantity,reason,name,price,currency\n"


class Imported:
    """What an import printed and how it ended."""

    def __init__(self, file: Path, *options: str) -> None:
        out, err = StringIO(), StringIO()
        self.code, self.refusal = 0, ""
        try:
            call_command("import_stock", str(file), *options, stdout=out, stderr=err)
        except CommandError as error:
            self.code, self.refusal = error.returncode, str(error)
        self.printed, self.bad = out.getvalue(), err.getvalue().splitlines()


def everything() -> list[list[dict]]:
    return [list(model.objects.order_by("pk").values()) for model in (Product, Location, Stock, Movement)]
