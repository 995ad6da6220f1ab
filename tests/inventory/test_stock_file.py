"""The files that `manage.py import_stock` refuses, and how it reports bad rows."""

import pytest

from inventory.models import Movement
from tests.inventory.helpers import stock_figures, stocked
from tests.inventory.imports import HEADER, all_rows, import_stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs():
    """Ten mugs at `north`, and an empty location `south`."""
    stocked("MUG", north=10, south=0)


BAD = [
    ("NOPE,north,5,,,,", "sku", "No product has the SKU 'NOPE'", "name and price"),
    ("NOPE,north,5,,Only a name,,", "sku", "No product has the SKU 'NOPE'", "name and price"),
    ("MUG,west,5,,,,", "location", "No location has the code 'west'", "add the location first"),
    (",north,5,,,,", "sku", "empty", "Fill it in"),
    ("MUG,,5,,,,", "location", "empty", "Fill it in"),
    ("MUG,north,,,,,", "quantity", "empty", "Fill it in"),
    ("MUG,north,0,,,,", "quantity", "from 1 to 1,000,000,000", "remove the row"),
    ("MUG,north,-5,,,,", "quantity", "from 1 to 1,000,000,000", "Correct it"),
    ("MUG,north,1000000001,,,,", "quantity", "from 1 to 1,000,000,000", "Correct it"),
    ("MUG,north," + "9" * 5000 + ",,,,", "quantity", "is not a whole number", "as in 12"),
    ('MUG,north,"1,000",,,,', "quantity", "'1,000' is not a whole number", "as in 12"),
    ("MUG,north,1.5,,,,", "quantity", "'1.5' is not a whole number", "as in 12"),
    ("MUG,north,1_0,,,,", "quantity", "'1_0' is not a whole number", "as in 12"),
    ("MUG,north,١٢,,,,", "quantity", "is not a whole number", "as in 12"),
    ("MUG,north,many,,,,", "quantity", "'many' is not a whole number", "as in 12"),
    ('CUP,north,1,,Cup,"4,50",', "price", "'4,50' is not a price", "as in 9.90"),
    ("CUP,north,1,,Cup,NaN,", "price", "'NaN' is not a price", "as in 9.90"),
    ("CUP,north,1,,Cup,-1,", "price", "'-1' is not a price", "as in 9.90"),
    ("CUP,north,1,,Cup,1.999,", "price", "no more than 2 decimal places", ""),
    ("CUP,north,1,,Cup,1,eur", "currency", "", "as in EUR"),
    ("CUP AND SAUCER,north,1,,Cup,1,", "sku", "", "Use letters, digits"),
    (f"CUP,north,1,,{'n' * 201},1,", "name", "at most 200 characters", ""),
    ("MUG,north,5", "row", "Has 3 values, the header 7", "Separate values by commas"),
    ("MUG,north,5,,,,,,9", "row", "Has 9 values, the header 7", "Separate values by commas"),
    ("MUG,north,5,a\0b,,,", "reason", "null character", "Remove it"),
]


@pytest.mark.parametrize("case", BAD, ids=[row[:24].replace("\0", "0") for row, *_ in BAD])
def test_bad_row_is_reported_with_line_field_and_remedy_and_nothing_is_imported(mugs, write_file, case):
    row, field, problem, remedy = case
    before = all_rows()
    result = import_stock(write_file(f"{HEADER}MUG,north,5,,,,\n\n{row}\n"))
    assert result.exit_code == 1
    (named,) = result.bad_rows
    assert named.startswith(f"line 4, {field}: ")
    assert problem in named
    assert remedy in named
    assert result.error == "bad rows: 1 of 2; nothing was imported. Correct them, or import the others with --partial."
    assert all_rows() == before


def test_all_errors_are_reported_in_line_order(mugs, write_file):
    result = import_stock(write_file(f'{HEADER}NOPE,west,0,,,,\nMUG,north,x,,"a\nb",y,\nMUG,east,1,,,,\n'))
    assert [named.partition(":")[0] for named in result.bad_rows] == [
        *("line 2, quantity", "line 2, location", "line 2, sku"),
        *("line 3, quantity", "line 3, price"),
        "line 5, location",
    ]
    assert result.error.startswith("bad rows: 3 of 3; nothing was imported.")


UNREADABLE = [
    ("empty", b"", "it is empty. The first line must name the columns: sku, location, quantity, reason"),
    ("blank", b"\n \n", "it is empty"),
    ("only a header", b"sku,location,quantity\n", "no row below the header"),
    ("no header", b"MUG,north,5\n", "the header lacks sku, location, quantity; it is 'MUG,north,5'"),
    ("semicolons", b"sku;location;quantity\nMUG;north;5\n", "separated by commas"),
    ("a column missing", b"sku,location\nMUG,north\n", "the header lacks quantity"),
    ("a column unknown", b"sku,location,quantity,pirce\n", "the column 'pirce' is unknown"),
    ("a column twice", b"sku,location,quantity,SKU\n", "the column sku is repeated"),
    (
        "Latin-1",
        "sku,location,quantity,reason\nMUG,north,5,ok\nMUG,north,5,fünf\n".encode("latin-1"),
        "line 3 is not UTF-8",
    ),
    ("UTF-16", "sku,location,quantity\nMUG,north,5\n".encode("utf-16"), "this is UTF-16"),
    ("an open quotation mark", b'sku,location,quantity\nMUG,north,5\n"MUG,north,5\n', "line 3: unexpected end of data"),
    ("a stray quotation mark", b'sku,location,quantity\n"M"UG,north,5\n', "line 2: "),
    ("a spreadsheet", b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xe5", "is not UTF-8"),
]


@pytest.mark.parametrize(
    ("content", "problem"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE]
)
@pytest.mark.parametrize("options", [(), ("--partial",), ("--dry-run",)], ids=["", "partial", "dry run"])
def test_unreadable_file_is_refused_with_one_line(mugs, write_file, content, problem, options):
    before = all_rows()
    result = import_stock(write_file(content), *options)
    assert (result.exit_code, result.output, result.bad_rows) == (2, "", [])
    assert "delivery.csv: " in result.error
    assert problem in result.error
    assert "\n" not in result.error
    assert all_rows() == before


def test_file_exported_from_a_spreadsheet_is_accepted(mugs, write_file):
    """Spreadsheets write a byte order mark, CRLF line ends, and empty rows at the end."""
    content = "\N{BYTE ORDER MARK}sku,location,quantity,reason\r\nMUG,north,5,fünf Becher\r\n,,,\r\n,,,\r\n"
    assert import_stock(write_file(content)).exit_code == 0
    assert stock_figures("MUG", "north") == (15, 0)
    assert Movement.objects.latest("id").reason == "fünf Becher"


def test_missing_file_or_directory_is_refused_with_one_line(tmp_path):
    assert import_stock(tmp_path / "missing.csv").error == f"{tmp_path / 'missing.csv'}: No such file or directory"
    assert import_stock(tmp_path).error == f"{tmp_path}: Is a directory"
