"""The data of `manage.py demo_data`: a small coffee shop, its customers and their orders."""

from decimal import Decimal
from typing import NamedTuple


class DemoProduct(NamedTuple):
    """A product and its units at each location, in the sequence of DEMO_LOCATIONS."""

    sku: str
    name: str
    price: Decimal
    stock: tuple[int, int]


#: Code and name. Orders are allocated from the first location first.
DEMO_LOCATIONS = (("BER", "Berlin warehouse"), ("HAM", "Hamburg shop"))

DEMO_PRODUCTS = (
    DemoProduct("BEANS-ETH-250", "Ethiopia Yirgacheffe, 250 g", Decimal("11.90"), (400, 60)),
    DemoProduct("BEANS-COL-250", "Colombia Huila, 250 g", Decimal("9.90"), (600, 80)),
    DemoProduct("BEANS-DEC-250", "Decaf Brazil, 250 g", Decimal("10.50"), (250, 30)),
    DemoProduct("BEANS-ESP-1000", "House espresso, 1 kg", Decimal("24.00"), (300, 40)),
    DemoProduct("DRIPPER-V60", "Ceramic dripper, size 02", Decimal("26.50"), (120, 15)),
    DemoProduct("FILTER-V60-100", "Paper filters, size 02, 100 pieces", Decimal("6.20"), (900, 120)),
    DemoProduct("KETTLE-GOOSE", "Gooseneck kettle, 0.9 l", Decimal("69.00"), (45, 6)),
    DemoProduct("GRINDER-HAND", "Hand grinder with steel burrs", Decimal("89.00"), (60, 8)),
    DemoProduct("SCALE-TIMER", "Scale with timer, 0.1 g", Decimal("39.90"), (80, 10)),
    DemoProduct("MUG-STONE", "Stoneware mug, 300 ml", Decimal("14.90"), (200, 50)),
    DemoProduct("TIN-STORAGE", "Storage tin, airtight, 500 g", Decimal("17.50"), (150, 20)),
    # Few units, so that orders for it are soon rejected; the last one is at another location.
    DemoProduct("GEISHA-RESERVE", "Panama Geisha, competition lot, 100 g", Decimal("48.00"), (2, 1)),
)
SCARCE_SKU = "GEISHA-RESERVE"


class DemoOrder(NamedTuple):
    """The lines of an order, and the reason if it is cancelled."""

    lines: tuple[tuple[str, int], ...]
    cancel_reason: str = ""


class DemoPerson(NamedTuple):
    """A customer. Without a password, nobody can log in as one."""

    email: str
    name: str
    orders: tuple[DemoOrder, ...]


#: Most orders are confirmed, some are cancelled, and some are for more units than there are. No order has the scarce
#: product.
DEMO_PEOPLE = (
    DemoPerson(
        "mara.lindqvist@example.org",
        "Mara Lindqvist",
        (
            DemoOrder((("DRIPPER-V60", 1), ("FILTER-V60-100", 2), ("BEANS-ETH-250", 1))),
            DemoOrder((("BEANS-ETH-250", 2),)),
            DemoOrder((("BEANS-COL-250", 1), ("BEANS-ETH-250", 1))),
        ),
    ),
    DemoPerson(
        "tomasz.zielinski@example.org",
        "Tomasz Zieliński",
        (
            DemoOrder((("GRINDER-HAND", 1), ("SCALE-TIMER", 1))),
            DemoOrder((("KETTLE-GOOSE", 1),), cancel_reason="found one at a flea market"),
        ),
    ),
    DemoPerson(
        "cafe.morgenrot@example.org",
        "Café Morgenrot",
        (
            DemoOrder((("BEANS-ESP-1000", 24), ("MUG-STONE", 36))),
            DemoOrder((("KETTLE-GOOSE", 60),)),
            DemoOrder((("BEANS-ESP-1000", 18), ("BEANS-DEC-250", 12))),
        ),
    ),
    DemoPerson("yusuf.demir@example.org", "Yusuf Demir", (DemoOrder((("BEANS-DEC-250", 2), ("TIN-STORAGE", 1))),)),
    DemoPerson(
        "ines.duarte@example.org",
        "Inês Duarte",
        (
            DemoOrder((("MUG-STONE", 4),), cancel_reason="wrong colour"),
            DemoOrder((("MUG-STONE", 4), ("BEANS-COL-250", 1))),
        ),
    ),
    DemoPerson("oskar.nyman@example.org", "Oskar Nyman", ()),
)

WELCOME_NAME = "Tasting set for new customers"
WELCOME_STOCK = 10_000
