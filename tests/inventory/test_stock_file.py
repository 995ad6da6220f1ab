"""The file of `manage.py import_stock`: what is no table is refused, and each bad row is named."""

import pytest

from inventory.models import Movement
from tests.inventory.helpers import figures, stocked
from tests.inventory.imports import HEADER, Imported, everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def mugs():
    """Ten mugs in the north, and a place in the south that has none."""
    stocked("MUG", north=10, south=0)


BAD = [
    ("NOPE,north,5,,,,", "sku", "No product has the SKU 'NOPE'", "name and price"),
    ("NOPE,north,5,,Only a name,,", "sku", "No product has the SKU 'NOPE'", "name and price"),
    ("MUG,west,5,,,,", "location", "No location has the code 'west'", "add the location first"),
    (",north,5,,,,", "sku", "empty", "Fill it in"),
    ("MUG,,5,,,,", "location", "empty", "Fill it in"),
    ("MUG,north,,,,,", "quantity", "empty", "Fill it in"),
    ("MUG,north,0,,,,", "quantity", "from 1 to 1,000,000,000", "leave the row out"),
    ("MUG,north,-5,,,,", "quantity", "from 1 to 1,000,000,000", "Correct it"),
    ("MUG,north,1000000001,,,,", "quantity", "from 1 to 1,000,000,000", "Correct it"),
    ("MUG,north," + "9" * 5000 + ",,,,", "quantity", "is no whole number", "as in 12"),
    ('MUG,north,"1,000",,,,', "quantity", "'1,000' is no whole number", "as in 12"),
    ("MUG,north,1.5,,,,", "quantity", "'1.5' is no whole number", "as in 12"),
    ("MUG,north,1_0,,,,", "quantity", "'1_0' is no whole number", "as in 12"),
    ("MUG,north,١٢,,,,", "quantity", "is no whole number", "as in 12"),
    ("MUG,north,many,,,,", "quantity", "'many' is no whole number", "as in 12"),
    ('CUP,north,1,,Cup,"4,50",', "price", "'4,50' is no price", "as in 9.90"),
    ("CUP,north,1,,Cup,NaN,", "price", "'NaN' is no price", "as in 9.90"),
    ("CUP,north,1,,Cup,-1,", "price", "'-1' is no price", "as in 9.90"),
    ("CUP,north,1,,Cup,1.999,", "price", "no more than 2 decimal places", ""),
    ("CUP,north,1,,Cup,1,eur", "currency", "", "as in EUR"),
    ("CUP AND SAUCER,north,1,,Cup,1,", "sku", "", "Use letters, digits"),
    (f"CUP,north,1,,{'n' * 201},1,", "name", "at most 200 characters", ""),
    ("MUG,north,5", "row", "Has 3 values, the header 7", "Separate by commas"),
    ("MUG,north,5,,,,,,9", "row", "Has 9 values, the header 7", "Separate by commas"),
    ("MUG,north,5,a\0b,,,", "reason", "null character", "Type it anew"),
]


@pytest.mark.parametrize("case", BAD, ids=[row[:24].replace("\0", "0") for row, *_ in BAD])
def test_a_bad_row_is_named_by_line_field_and_remedy_and_nothing_is_imported(mugs, written, case):
    row, field, problem, remedy = case
    before = everything()
    imported = Imported(written(f"{HEADER}MUG,north,5,,,,\n\n{row}\n"))
    assert imported.code == 1
    (named,) = imported.bad
    assert named.startswith(f"line 4, {field}: ")
    assert problem in named
    assert remedy in named
    assert (
        imported.refusal == "bad rows: 1 of 2; nothing was imported. Correct them, or import the others by --partial."
    )
    assert everything() == before


def test_all_that_is_wrong_is_named_in_the_order_of_the_lines(mugs, written):
    imported = Imported(written(f'{HEADER}NOPE,west,0,,,,\nMUG,north,x,,"a\nb",y,\nMUG,east,1,,,,\n'))
    assert [named.partition(":")[0] for named in imported.bad] == [
        *("line 2, quantity", "line 2, location", "line 2, sku"),
        *("line 3, quantity", "line 3, price"),
        "line 5, location",
    ]
    assert imported.refusal.startswith("bad rows: 3 of 3; nothing was imported.")


UNREADABLE = [
    ("empty", b"", "it is empty. Its first line names the columns: sku, location, quantity, reason"),
    ("blank", b"\n \n", "it is empty"),
    ("only a header", b"sku,location,quantity\n", "no row below the header"),
    ("no header", b"MUG,north,5\n", "the header lacks sku, location, quantity; it is 'MUG,north,5'"),
    ("semicolons", b"sku;location;quantity\nMUG;north;5\n", "separated by commas"),
    ("a column missing", b"sku,location\nMUG,north\n", "the header lacks quantity"),
    ("a column unknown", b"sku,location,quantity,pirce\n", "no use for the column 'pirce'"),
    ("a column twice", b"sku,location,quantity,SKU\n", "the column sku is there twice"),
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
def test_a_file_that_is_no_table_is_refused_with_one_line(mugs, written, content, problem, options):
    before = everything()
    imported = Imported(written(content), *options)
    assert (imported.code, imported.printed, imported.bad) == (2, "", [])
    assert "delivery.csv: " in imported.refusal
    assert problem in imported.refusal
    assert "\n" not in imported.refusal
    assert everything() == before


def test_a_file_saved_by_a_spreadsheet_is_read(mugs, written):
    """With a byte order mark, line ends of Windows, and empty rows at the end."""
    content = "\N{BYTE ORDER MARK}sku,location,quantity,reason\r\nMUG,north,5,fünf Becher\r\n,,,\r\n,,,\r\n"
    assert Imported(written(content)).code == 0
    assert figures("MUG", "north") == (15, 0)
    assert Movement.objects.latest("id").reason == "fünf Becher"


def test_a_file_that_is_not_there_or_is_a_directory_is_refused_with_one_line(tmp_path):
    assert Imported(tmp_path / "missing.csv").refusal == f"{tmp_path / 'missing.csv'}: No such file or directory"
    assert Imported(tmp_path).refusal == f"{tmp_path}: Is a directory"
