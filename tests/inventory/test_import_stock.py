"""`manage.py import_stock` imports a file completely or not at all."""

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import operations
from inventory.models import Movement, Product
from inventory.operations.ledger import NewMovement, write_movements
from orders.models import CatalogueItem
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds, order_for, stock_figures, stocked
from tests.inventory.imports import HEADER, all_rows, import_stock
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs():
    """Ten mugs at `north`, and an empty location `south`."""
    stocked("MUG", north=10, south=0)


def test_each_row_is_received_as_a_movement_with_its_reason(mugs, write_file):
    before = Movement.objects.latest("id").pk
    result = import_stock(
        write_file('sku,location,quantity,reason\nMUG,north,5,"pallet 2, top"\nMUG,south,7,\nMUG,north,1,x\n')
    )

    assert (result.exit_code, result.bad_rows) == (0, [])
    assert result.output == "received: 13 units in 3 rows (north 6, south 7)\n"
    assert (stock_figures("MUG", "north"), stock_figures("MUG", "south")) == ((16, 0), (7, 0))
    movements = Movement.objects.filter(pk__gt=before).order_by("id")
    assert [(row.kind, row.on_hand_delta, row.reason) for row in movements] == [
        ("received", 5, "pallet 2, top"),
        ("received", 7, "import delivery.csv"),
        ("received", 1, "x"),
    ]
    assert_ledger_holds()


def test_columns_can_have_any_order_and_reason_is_optional(mugs, write_file):
    assert import_stock(write_file("Quantity, SKU ,Location\n 5 , MUG ,north\n")).exit_code == 0
    assert stock_figures("MUG", "north") == (15, 0)
    assert Movement.objects.latest("id").reason == "import delivery.csv"


def test_import_leaves_reserved_units_unchanged(mugs, write_file):
    operations.reserve_stock(orders=[order_for(MUG=4)])
    import_stock(write_file("sku,location,quantity\nMUG,north,5\n"))
    assert stock_figures("MUG", "north") == (15, 4)
    assert_ledger_holds()


def test_new_products_with_name_and_price_are_added_and_announced(mugs, write_file, published, drain):
    result = import_stock(
        write_file(
            HEADER + 'CUP,north,3,,"Cup, small",4.50,\nCUP,south,4,,,,\nJUG,north,1,,Jug,12,CHF\nMUG,north,1,,New,1,\n'
        )
    )
    assert result.exit_code == 0, result.bad_rows
    assert "products added: 2 (CUP, JUG)" in result.output
    cup, jug = Product.objects.get(sku="CUP"), Product.objects.get(sku="JUG")
    assert (cup.name, cup.price, cup.currency, cup.version) == ("Cup, small", Decimal("4.50"), "EUR", 1)
    assert (jug.price, jug.currency) == (Decimal(12), "CHF")
    assert (stock_figures("CUP", "north"), stock_figures("CUP", "south"), stock_figures("JUG", "north")) == (
        (3, 0),
        (4, 0),
        (1, 0),
    )
    assert Product.objects.get(sku="MUG").name == "The MUG"
    assert [event.sku for event in published(ProductChanged) if event.sku != "MUG"] == ["CUP", "JUG"]
    drain()
    assert CatalogueItem.objects.get(sku="CUP").price == Decimal("4.50")
    assert_ledger_holds()


def test_partial_imports_the_valid_rows_and_exits_with_1(mugs, write_file):
    result = import_stock(write_file(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\nCUP,west,1,,Cup,1,\n"), "--partial")
    assert result.exit_code == 1
    assert result.output == "received: 5 units in 1 rows (north 5)\n"
    assert result.error == "bad rows: 2 of 3; they were left out. Correct them and import only them."
    assert stock_figures("MUG", "north") == (15, 0)
    assert not Product.objects.filter(sku="CUP").exists()
    assert_ledger_holds()


def test_partial_without_a_valid_row_imports_nothing(mugs, write_file):
    before = all_rows()
    result = import_stock(write_file(f"{HEADER}MUG,west,5,,,,\n"), "--partial")
    assert (result.exit_code, result.output) == (1, "")
    assert result.error == "bad rows: 1 of 1; nothing was imported. Correct them."
    assert all_rows() == before


def test_dry_run_reports_the_import_and_changes_nothing(mugs, write_file, published):
    before, events = all_rows(), len(published())
    file = write_file(HEADER + "".join(f"CUP-{n},north,2,,Cup {n},1,\n" for n in range(7)))
    result = import_stock(file, "--dry-run")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "would be received: 14 units in 7 rows (north 14)",
        "products would be added: 7 (CUP-0, CUP-1, CUP-2, CUP-3, CUP-4 and 2 more)",
        "nothing was changed: this was a dry run",
    ]
    assert all_rows() == before
    assert len(published()) == events


def test_dry_run_names_bad_rows_and_exits_like_the_import(mugs, write_file):
    result = import_stock(write_file(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\n"), "--dry-run")
    assert (result.exit_code, result.output, len(result.bad_rows)) == (1, "", 1)
    assert "nothing would be imported" in result.error
    result = import_stock(write_file(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\n"), "--dry-run", "--partial")
    assert result.exit_code == 1
    assert "would be received: 5 units in 1 rows (north 5)" in result.output
    assert "they would be left out" in result.error


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,Mug,,\n", "line 3, name: Line 2 has 'Cup'"),
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,,1,\n", "line 3, price: Line 2 has '0.00'"),
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,,,USD\n", "line 3, currency: Line 2 has 'EUR'"),
        ("CUP,north,1,,,,\nCUP,north,1,,Cup,1,\nCUP,north,1,,Cup,1.00,EUR\n", None),
    ],
)
def test_rows_of_one_new_product_must_agree(mugs, write_file, rows, named):
    result = import_stock(write_file(HEADER + rows))
    if named is None:
        assert (result.exit_code, result.bad_rows) == (0, [])
        assert stock_figures("CUP", "north") == (3, 0)
    else:
        (bad,) = result.bad_rows
        assert bad.startswith(named)
        assert "Make both the same" in bad


def test_rows_of_a_product_refer_to_the_invalid_row_that_adds_it(mugs, write_file):
    result = import_stock(write_file(f"{HEADER}CUP,north,1,,Cup,1.999,\nCUP,north,1,,,,\n"))
    assert result.bad_rows[1] == "line 3, sku: Line 2 adds this product and has errors. Correct that line."


@pytest.mark.django_db(transaction=True)
def test_failure_halfway_rolls_back_the_whole_import(mugs, write_file, monkeypatch):
    """It fails after the products are inserted, the stock is locked and the first movements exist."""
    before = all_rows()

    def write_and_fail(movements: Sequence[NewMovement]) -> None:
        write_movements(movements)
        raise OSError("the disk is full")

    monkeypatch.setattr(operations.arrivals, "write_movements", write_and_fail)
    with pytest.raises(OSError, match="disk"):
        import_stock(write_file(f"{HEADER}CUP,north,1,,Cup,1,\nMUG,north,5,,,,\n"))
    assert all_rows() == before


def test_a_thousand_rows_take_the_statements_of_ten(mugs, write_file):
    """Each row adds a product. SQLite's inserts of these and their audit do not count: one has a hundred."""

    def statements(number: int, prefix: str) -> int:
        file = write_file(HEADER + "".join(f"{prefix}-{n},north,2,,Cup {n},1,\n" for n in range(number)))
        with CaptureQueriesContext(connection) as queries:
            assert import_stock(file).exit_code == 0
        inserts = ('INSERT OR IGNORE INTO "inventory_product"', 'INSERT INTO "audit_change"')
        return len([query for query in queries if not query["sql"].startswith(inserts)])

    assert statements(1000, "B") == statements(10, "A") < 20
    assert_ledger_holds()


def test_rows_of_several_statements_are_received_in_file_order(mugs, write_file, monkeypatch):
    monkeypatch.setattr(operations.arrivals, "LINES_PER_STATEMENT", 3)
    before = Movement.objects.latest("id").pk
    file = write_file(HEADER + "".join(f"{'MUG' if n % 2 else f'CUP-{n}'},north,{n + 1},,Cup,1,\n" for n in range(10)))
    result = import_stock(file)
    assert result.output.startswith("received: 55 units in 10 rows")
    movements = Movement.objects.filter(pk__gt=before).order_by("id")
    assert [row.on_hand_delta for row in movements] == list(range(1, 11))
    assert stock_figures("MUG", "north") == (10 + 2 + 4 + 6 + 8 + 10, 0)
    assert_ledger_holds()


@pytest.mark.django_db(transaction=True)
def test_concurrent_imports_that_add_the_same_products_are_all_received(mugs, tmp_path):
    """Each file lists the products in random order, while orders reserve units."""
    skus = [f"CUP-{number}" for number in range(40)]

    def importing(number: int):
        path = tmp_path / f"{number}.csv"
        rows = [f"{sku},{place},3,,Cup,1,\n" for sku in random.sample(skus, 40) for place in ("north", "south")]
        path.write_text(HEADER + "MUG,north,1,,,,\n" + "".join(rows))
        return lambda: import_stock(path)

    def reserving() -> None:
        for _ in range(10):
            operations.reserve_stock(orders=[order_for(MUG=1)])

    at_once(*(importing(number) for number in range(3)), reserving)

    assert Product.objects.filter(sku__in=skus).count() == 40
    assert {stock_figures(sku, place) for sku in skus for place in ("north", "south")} == {(9, 0)}
    assert stock_figures("MUG", "north") == (13, 10)
    assert_ledger_holds()
