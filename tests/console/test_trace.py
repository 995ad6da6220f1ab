"""`manage.py trace`: from the first event to the last ledger row."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from inventory import operations as inventory
from orders import operations as orders
from orders.models import Order
from project.bus.consumer import PermanentError
from project.bus.models import Delivery
from project.console.trace_tree import printable, since
from project.events import Line, OrderConfirmed, OrderPlaced, ProductChanged
from users import operations as users

pytestmark = pytest.mark.django_db


@pytest.fixture
def cups(drain):
    """Five cups at two places, of which the catalogue copy knows."""
    inventory.add_product(sku="CUP", name="Cup", price="4.50", currency="EUR")
    for rank, (code, quantity) in enumerate((("MAIN", 3), ("SIDE", 2))):
        inventory.add_location(code=code, name=code.title(), priority=rank)
        inventory.receive_stock(sku="CUP", location=code, quantity=quantity, reason="first delivery")
    drain()


@pytest.fixture
def customer():
    return users.register_user(email="ada@example.org", password=None, name="Ada")


@pytest.fixture
def traced(capsys):
    """The printed story, with ids, times and ledger numbers replaced by short names in the order in which they come."""

    def traced(of: object) -> list[str]:
        call_command("trace", str(of))
        names: dict[str, str] = {}
        text = re.sub(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            lambda found: names.setdefault(found[0], "ABCDEFGHIJ"[len(names)]),
            capsys.readouterr().out,
        )
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", "CLOCK", text)
        text = re.sub(r"\+[\d.]+ (ms|s)", "+T", text)
        return re.sub(r"(ledger|delivery) \d+", r"\1 N", text).splitlines()

    return traced


def test_a_welcome_order_is_told_from_the_registration_to_the_ledger(cups, customer, settings, drain, traced):
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


def test_a_retry_a_dead_letter_and_a_cancel_stand_where_they_belong(cups, customer, subscribed, drain, traced):
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

    told = traced(order.pk)
    assert told[:9] == [
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
    assert [line.strip(" │├└─") for line in told[9:17]] == [
        "users.email_confirmation done, 1 attempt  +T",
        "console.flaky done, 3 attempts  +T",
        "attempt 1 failed +T: ValueError: not the 1. time",
        "attempt 2 failed +T: ValueError: not the 2. time",
        "console.hopeless dead, 1 attempt  +T  delivery N",
        "attempt 1 failed +T: PermanentError: never",
        "console.stubborn retrying, 1 attempt, due +T  delivery N",
        "attempt 1 failed +T: ValueError: not now",
    ]
    assert told[17:] == [
        "orders.order_cancelled of A  CLOCK, +T  event E",
        "├── users.email_cancellation done, 1 attempt  +T",
        "├── inventory.release_stock done, 1 attempt  +T",
        "├── order: confirmed → cancelled by user F (changed my mind)  +T",
        "├── ledger N, released: CUP at MAIN, reserved -3 (then 3 on hand, 0 reserved)  +T",
        "└── ledger N, released: CUP at SIDE, reserved -1 (then 2 on hand, 0 reserved)  +T",
    ]


def test_an_event_of_the_chain_tells_the_chain_alone_without_steps_of_others(cups, customer, drain, published, traced):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    drain()
    orders.cancel_order(order_id=order.pk, actor_id=customer.pk, reason="changed my mind")
    drain()
    (placed,) = published(OrderPlaced)
    told = "\n".join(traced(placed.id))
    assert "orders.order_placed" in told
    assert "placed → confirmed" in told
    assert "cancelled" not in told


def test_an_event_about_something_without_an_id_is_told_too(cups, published, traced):
    (changed,) = published(ProductChanged)
    assert traced(changed.id) == [
        "inventory.product_changed of CUP  CLOCK  event A",
        "└── orders.keep_catalogue done, 1 attempt  +T",
    ]


def test_what_is_not_due_yet_says_when_it_is(cups, customer, traced):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    assert traced(order.pk)[1] == "├── inventory.reserve_stock due, 0 attempts, due +T  delivery N"


def test_a_reason_cannot_steer_the_terminal_or_forge_a_line(cups, customer, drain, capsys):
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=1)])
    orders.cancel_order(
        order_id=order.pk, actor_id=customer.pk, reason="\x1b[2Jgone\r\n[bold]└── order: paid" + "!" * 500
    )
    call_command("trace", str(order.pk))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    (line,) = (line for line in printed.splitlines() if "gone" in line)
    assert "[2Jgone  [bold]└── order: paid!!!" in line
    assert line.count("!") < 200


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(microseconds=-300), "+0 ms"),
        (timedelta(milliseconds=9_999), "+9999 ms"),
        (timedelta(seconds=12.34), "+12.3 s"),
        (timedelta(minutes=90), "+90.0 min"),
        (timedelta(hours=30), "+30.0 h"),
        (timedelta(days=400), "+400.0 d"),
    ],
)
def test_times_are_told_in_a_unit_that_suits(span, said):
    now = timezone.now()
    assert since(now + span, now) == said


def test_long_texts_are_cut():
    assert printable("x" * 201) == "x" * 200 + "..."
    assert printable("x" * 200) == "x" * 200
