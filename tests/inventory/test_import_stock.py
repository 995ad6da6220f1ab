"""`manage.py import_stock`: a file is received as a whole, or not at all."""

import random
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import operations
from inventory.models import Movement, Product
from orders.models import CatalogueItem
from project.events import ProductChanged
from tests.inventory.helpers import assert_ledger_holds, figures, placed, stocked
from tests.inventory.imports import HEADER, Imported, everything
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs():
    """Ten mugs in the north, and a place in the south that has none."""
    stocked("MUG", north=10, south=0)


def test_each_row_is_received_as_a_movement_with_its_reason(mugs, written):
    before = Movement.objects.latest("id").pk
    imported = Imported(
        written('sku,location,quantity,reason\nMUG,north,5,"pallet 2, top"\nMUG,south,7,\nMUG,north,1,x\n')
    )

    assert (imported.code, imported.bad) == (0, [])
    assert imported.printed == "received: 13 units in 3 rows (north 6, south 7)\n"
    assert (figures("MUG", "north"), figures("MUG", "south")) == ((16, 0), (7, 0))
    movements = Movement.objects.filter(pk__gt=before).order_by("id")
    assert [(row.kind, row.on_hand_delta, row.reason) for row in movements] == [
        ("received", 5, "pallet 2, top"),
        ("received", 7, "import delivery.csv"),
        ("received", 1, "x"),
    ]
    assert_ledger_holds()


def test_columns_may_come_in_any_order_and_without_a_reason(mugs, written):
    assert Imported(written("Quantity, SKU ,Location\n 5 , MUG ,north\n")).code == 0
    assert figures("MUG", "north") == (15, 0)
    assert Movement.objects.latest("id").reason == "import delivery.csv"


def test_what_is_reserved_stays_so(mugs, written):
    operations.reserve_stock(orders=[placed(MUG=4)])
    Imported(written("sku,location,quantity\nMUG,north,5\n"))
    assert figures("MUG", "north") == (15, 4)
    assert_ledger_holds()


def test_an_unknown_product_is_added_where_name_and_price_are_said_and_is_announced(mugs, written, published, drain):
    imported = Imported(
        written(
            HEADER + 'CUP,north,3,,"Cup, small",4.50,\nCUP,south,4,,,,\nJUG,north,1,,Jug,12,CHF\nMUG,north,1,,New,1,\n'
        )
    )
    assert imported.code == 0, imported.bad
    assert "products added: 2 (CUP, JUG)" in imported.printed
    cup, jug = Product.objects.get(sku="CUP"), Product.objects.get(sku="JUG")
    assert (cup.name, cup.price, cup.currency, cup.version) == ("Cup, small", Decimal("4.50"), "EUR", 1)
    assert (jug.price, jug.currency) == (Decimal(12), "CHF")
    assert (figures("CUP", "north"), figures("CUP", "south"), figures("JUG", "north")) == ((3, 0), (4, 0), (1, 0))
    assert Product.objects.get(sku="MUG").name == "The MUG"
    assert [event.sku for event in published(ProductChanged) if event.sku != "MUG"] == ["CUP", "JUG"]
    drain()
    assert CatalogueItem.objects.get(sku="CUP").price == Decimal("4.50")
    assert_ledger_holds()


def test_with_partial_the_good_rows_are_imported_and_the_exit_code_still_tells(mugs, written):
    imported = Imported(written(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\nCUP,west,1,,Cup,1,\n"), "--partial")
    assert imported.code == 1
    assert imported.printed == "received: 5 units in 1 rows (north 5)\n"
    assert imported.refusal == "bad rows: 2 of 3; they were left out. Correct them and import them alone."
    assert figures("MUG", "north") == (15, 0)
    assert not Product.objects.filter(sku="CUP").exists()
    assert_ledger_holds()


def test_with_partial_and_no_good_row_nothing_is_imported(mugs, written):
    before = everything()
    imported = Imported(written(f"{HEADER}MUG,west,5,,,,\n"), "--partial")
    assert (imported.code, imported.printed) == (1, "")
    assert imported.refusal == "bad rows: 1 of 1; nothing was imported. Correct them."
    assert everything() == before


def test_a_dry_run_says_what_would_be_done_and_does_nothing(mugs, written, published):
    before, events = everything(), len(published())
    file = written(HEADER + "".join(f"CUP-{n},north,2,,Cup {n},1,\n" for n in range(7)))
    imported = Imported(file, "--dry-run")
    assert imported.code == 0
    assert imported.printed.splitlines() == [
        "would be received: 14 units in 7 rows (north 14)",
        "products would be added: 7 (CUP-0, CUP-1, CUP-2, CUP-3, CUP-4 and 2 more)",
        "nothing was changed: this was a dry run",
    ]
    assert everything() == before
    assert len(published()) == events


def test_a_dry_run_names_bad_rows_and_ends_as_the_import_would(mugs, written):
    imported = Imported(written(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\n"), "--dry-run")
    assert (imported.code, imported.printed, len(imported.bad)) == (1, "", 1)
    assert "nothing would be imported" in imported.refusal
    imported = Imported(written(f"{HEADER}MUG,north,5,,,,\nMUG,west,5,,,,\n"), "--dry-run", "--partial")
    assert imported.code == 1
    assert "would be received: 5 units in 1 rows (north 5)" in imported.printed
    assert "they would be left out" in imported.refusal


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,Mug,,\n", "line 3, name: Line 2 says 'Cup'"),
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,,1,\n", "line 3, price: Line 2 says '0.00'"),
        ("CUP,north,1,,Cup,0.00,\nCUP,north,1,,,,USD\n", "line 3, currency: Line 2 says 'EUR'"),
        ("CUP,north,1,,,,\nCUP,north,1,,Cup,1,\nCUP,north,1,,Cup,1.00,EUR\n", None),
    ],
)
def test_rows_of_one_new_product_must_agree(mugs, written, rows, named):
    imported = Imported(written(HEADER + rows))
    if named is None:
        assert (imported.code, imported.bad) == (0, [])
        assert figures("CUP", "north") == (3, 0)
    else:
        (bad,) = imported.bad
        assert bad.startswith(named)
        assert "Make them agree" in bad


def test_rows_of_a_product_whose_introduction_is_wrong_point_to_that_line(mugs, written):
    imported = Imported(written(f"{HEADER}CUP,north,1,,Cup,1.999,\nCUP,north,1,,,,\n"))
    assert imported.bad[1] == "line 3, sku: Line 2 is to add this product, and is wrong itself. Correct that one."


@pytest.mark.django_db(transaction=True)
def test_when_it_fails_on_the_way_nothing_is_left(mugs, written, monkeypatch):
    """The products are in, the stock is locked, the first movements are written: then the process loses its way."""
    before = everything()
    record = operations.arrivals.record

    def failing(movements):
        record(movements)
        raise OSError("the disk is full")

    monkeypatch.setattr(operations.arrivals, "record", failing)
    with pytest.raises(OSError, match="disk"):
        Imported(written(f"{HEADER}CUP,north,1,,Cup,1,\nMUG,north,5,,,,\n"))
    assert everything() == before


def test_a_thousand_rows_take_no_more_statements_than_ten(mugs, written):
    """Both have as many new products as rows; SQLite takes a statement for each hundred of those."""

    def statements(number: int, prefix: str) -> int:
        file = written(HEADER + "".join(f"{prefix}-{n},north,2,,Cup {n},1,\n" for n in range(number)))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert Imported(file).code == 0
        return len([query for query in queries if 'INSERT OR IGNORE INTO "inventory_product"' not in query["sql"]])

    assert statements(1000, "B") == statements(10, "A") < 20
    assert_ledger_holds()


def test_rows_beyond_one_chunk_are_all_received_in_their_order(mugs, written, monkeypatch):
    monkeypatch.setattr(operations.arrivals, "CHUNK", 3)
    before = Movement.objects.latest("id").pk
    file = written(HEADER + "".join(f"{'MUG' if n % 2 else f'CUP-{n}'},north,{n + 1},,Cup,1,\n" for n in range(10)))
    imported = Imported(file)
    assert imported.printed.startswith("received: 55 units in 10 rows")
    movements = Movement.objects.filter(pk__gt=before).order_by("id")
    assert [row.on_hand_delta for row in movements] == list(range(1, 11))
    assert figures("MUG", "north") == (10 + 2 + 4 + 6 + 8 + 10, 0)
    assert_ledger_holds()


@pytest.mark.django_db(transaction=True)
def test_files_imported_at_once_that_add_the_same_products_are_each_received_in_full(mugs, tmp_path):
    """Each lists the products in an order of its own, and orders reserve some of them meanwhile."""
    skus = [f"CUP-{number}" for number in range(40)]

    def importing(number: int):
        path = tmp_path / f"{number}.csv"
        rows = [f"{sku},{place},3,,Cup,1,\n" for sku in random.sample(skus, 40) for place in ("north", "south")]
        path.write_text(HEADER + "MUG,north,1,,,,\n" + "".join(rows))
        return lambda: Imported(path)

    def reserving() -> None:
        for _ in range(10):
            operations.reserve_stock(orders=[placed(MUG=1)])

    at_once(*(importing(number) for number in range(3)), reserving)

    assert Product.objects.filter(sku__in=skus).count() == 40
    assert {figures(sku, place) for sku in skus for place in ("north", "south")} == {(9, 0)}
    assert figures("MUG", "north") == (13, 10)
    assert_ledger_holds()
