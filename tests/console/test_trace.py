"""`manage.py trace`: the events of an order, what handled them, and what changed."""

import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from inventory import operations as inventory
from orders import operations as orders
from orders.models import Order
from project.bus import PermanentError
from project.bus.models import Delivery
from project.console.trace_tree import printable, since
from project.events import Line, OrderConfirmed, OrderPlaced, ProductChanged
from users import operations as users

pytestmark = pytest.mark.django_db


@pytest.fixture
def cups(drain):
    """Five cups at two locations, in the catalogue."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="EUR")
    for rank, (code, quantity) in enumerate((("MAIN", 3), ("SIDE", 2))):
        inventory.add_location(code=code, name=code.title(), priority=rank)
        inventory.receive_stock(sku="CUP", location=code, quantity=quantity, reason="first delivery")
    drain()


@pytest.fixture
def customer():
    return users.register_user(email="ada@example.org", password=None, name="Ada")


@pytest.fixture
def traced():
    """Print a trace with a letter for each id, and placeholders for times and row numbers; return its lines."""

    def traced(key: object) -> list[str]:
        output = StringIO()
        call_command("trace", str(key), stdout=output)
        names: dict[str, str] = {}
        text = re.sub(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            lambda match: names.setdefault(match[0], "ABCDEFGHIJ"[len(names)]),
            output.getvalue(),
        )
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", "CLOCK", text)
        text = re.sub(r"\+[\d.]+ (ms|s)", "+T", text)
        return re.sub(r"(ledger|delivery) \d+", r"\1 N", text).splitlines()

    return traced


def test_the_trace_of_a_welcome_order_begins_with_the_registration(cups, customer, settings, drain, traced):
    settings.WELCOME_SKU = "CUP"
    drain()
    assert traced(Order.objects.get().pk) == [
        "users.user_created of A  CLOCK  event B",
        "├── users.email_welcome done, 1 attempt  +T",
        "├── orders.open_welcome_order done, 1 attempt  +T",
        "├── order C: new → placed  +T",
        "└── orders.order_placed of C  +T  event D",
        "    ├── inventory.reserve_stock done, 1 attempt  +T",
        "    ├── ledger N, reserved: CUP at MAIN, reserved +1 (then 3 on hand, 1 reserved)  +T",
        "    └── inventory.stock_reserved of C  +T  event E",
        "        ├── orders.confirm_orders done, 1 attempt  +T",
        "        ├── order: placed → confirmed  +T",
        "        └── orders.order_confirmed of C  +T  event F",
        "            └── users.email_confirmation done, 1 attempt  +T",
    ]


def test_retries_dead_letters_and_a_cancellation_are_in_the_trace(cups, customer, subscribed, drain, traced):
    tried = []

    def flaky(event):
        tried.append(event)
        if len(tried) < 3:
            raise ValueError(f"not the {len(tried)}. time")

    def hopeless(event):
        raise PermanentError("never")

    def stubborn(event):
        raise ValueError("not now")

    subscribed(flaky, OrderConfirmed)
    subscribed(hopeless, OrderConfirmed)
    subscribed(stubborn, OrderConfirmed)
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=4)])
    drain()
    Delivery.objects.filter(handler="console.stubborn").update(due_at=timezone.now() + timedelta(seconds=30))
    for _ in range(2):
        Delivery.objects.filter(handler="console.flaky").update(due_at=timezone.now() - timedelta(hours=1))
        drain()
    orders.cancel_order(order_id=order.pk, actor_id=customer.pk, reason="changed my mind")
    drain()

    lines = traced(order.pk)
    assert lines[:9] == [
        "orders.order_placed of A  CLOCK  event B",
        "├── inventory.reserve_stock done, 1 attempt  +T",
        "├── order: new → placed  +T",
        "├── ledger N, reserved: CUP at MAIN, reserved +3 (then 3 on hand, 3 reserved)  +T",
        "├── ledger N, reserved: CUP at SIDE, reserved +1 (then 2 on hand, 1 reserved)  +T",
        "└── inventory.stock_reserved of A  +T  event C",
        "    ├── orders.confirm_orders done, 1 attempt  +T",
        "    ├── order: placed → confirmed  +T",
        "    └── orders.order_confirmed of A  +T  event D",
    ]
    assert [line.strip(" │├└─") for line in lines[9:17]] == [
        "users.email_confirmation done, 1 attempt  +T",
        "console.flaky done, 3 attempts  +T",
        "attempt 1 failed +T: ValueError: not the 1. time",
        "attempt 2 failed +T: ValueError: not the 2. time",
        "console.hopeless dead, 1 attempt  +T  delivery N",
        "attempt 1 failed +T: PermanentError: never",
        "console.stubborn retrying, 1 attempt, due +T  delivery N",
        "attempt 1 failed +T: ValueError: not now",
    ]
    assert lines[17:] == [
        "orders.order_cancelled of A  CLOCK, +T  event E",
        "├── users.email_cancellation done, 1 attempt  +T",
        "├── inventory.release_stock done, 1 attempt  +T",
        "├── order: confirmed → cancelled by user F (changed my mind)  +T",
        "├── ledger N, released: CUP at MAIN, reserved -3 (then 3 on hand, 0 reserved)  +T",
        "└── ledger N, released: CUP at SIDE, reserved -1 (then 2 on hand, 0 reserved)  +T",
    ]


def test_the_trace_of_an_event_has_only_its_own_chain(cups, customer, drain, published, traced):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    drain()
    orders.cancel_order(order_id=order.pk, actor_id=customer.pk, reason="changed my mind")
    drain()
    (placed,) = published(OrderPlaced)
    text = "\n".join(traced(placed.id))
    assert "orders.order_placed" in text
    assert "placed → confirmed" in text
    assert "cancelled" not in text


def test_the_trace_of_an_event_whose_subject_is_no_uuid(cups, published, traced):
    (changed,) = published(ProductChanged)
    assert traced(changed.id) == [
        "inventory.product_changed of CUP  CLOCK  event A",
        "└── orders.keep_catalogue done, 1 attempt  +T",
    ]


def test_an_open_delivery_shows_when_it_is_due(cups, customer, traced):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    assert traced(order.pk)[1] == "├── inventory.reserve_stock due, 0 attempts, due +T  delivery N"


def test_a_reason_cannot_control_the_terminal_or_forge_a_line(cups, customer, drain):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    orders.cancel_order(order_id=order.pk, actor_id=customer.pk)
    # As an older release could write it.
    order.changes.update(reason="\x1b[2Jgone\r\n[bold]└── order: paid" + "!" * 500)
    output = StringIO()
    call_command("trace", str(order.pk), stdout=output)
    printed = output.getvalue()
    assert "\x1b" not in printed
    line = next(line for line in printed.splitlines() if "gone" in line)
    assert r"\x1b[2Jgone\r\n[bold]└── order: paid!!!" in line
    assert line.count("!") < 200


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(microseconds=-300), "+0 ms"),
        (timedelta(milliseconds=9_999), "+9999 ms"),
        (timedelta(seconds=12.34), "+12.3 s"),
        (timedelta(minutes=90), "+90.0 min"),
        (timedelta(hours=30), "+30.0 h"),
        (timedelta(days=400), "+400.0 d"),
    ],
)
def test_a_time_span_is_shown_in_a_suitable_unit(span, text):
    now = timezone.now()
    assert since(now + span, now) == text


def test_a_long_text_is_cut():
    assert printable("x" * 201) == "x" * 200 + "..."
    assert printable("x" * 200) == "x" * 200
