"""`manage.py simulate` on a real system, judged by its log and by what it leaves in the database."""

import csv
import json
import signal
import sys
from array import array
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest
from django.db.models import Sum

from inventory import operations as inventory
from inventory.models import Movement, Product, Reservation, Stock
from orders.models import Order, OrderLine
from project.console import simulation, simulation_setup
from project.console.simulation import Tally
from project.console.simulation_plan import make_up
from project.console.simulation_setup import email_of
from project.events import ProductChanged, UserCreated
from tests.console.plans import cups, figures, silent
from tests.system import System, eventually
from users.models import User


class Purchase(NamedTuple):
    """A row of a log, as the tests read it."""

    customer: str
    day: str
    sku: str
    units: int
    price: Decimal


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Purchases of 40 customers on 6 days, in no order; some products stand twice in an order."""
    random = Random(4)
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "placed_at", "sku", "quantity", "unit_price"))
        for _ in range(300):
            number, day = random.randint(1, 25), date(2026, 1, 1) + timedelta(days=random.randrange(6))
            units = random.choice((1, 1, 1, 2, 3, 10))
            writer.writerow((f"{random.randint(1, 40):05}", day, f"CD-{number:03}", units, f"{5 + number}.{number:02}"))
    return tmp_path / "log.csv"


def purchases(log: Path) -> list[Purchase]:
    with log.open(newline="") as file:
        _, *rows = csv.reader(file)
    return [Purchase(customer, day, sku, int(units), Decimal(price)) for customer, day, sku, units, price in rows]


def orders_in(log: Path) -> Counter[tuple[str, frozenset[tuple[str, int]]]]:
    """How often each customer orders the same, by the log alone."""
    baskets: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in purchases(log):
        baskets[row.customer, row.day][row.sku] += row.units
    return Counter((customer, frozenset(units.items())) for (customer, _), units in baskets.items())


class Placed(NamedTuple):
    """An order in the database."""

    customer: str
    status: str
    units: dict[str, int]


def placed_orders() -> dict[UUID, Placed]:
    """The simulated customers' orders, those aside that greeted them."""
    emails = dict(User.objects.values_list("pk", "email"))
    return {
        order.pk: Placed(
            emails[order.customer_id].removeprefix("customer-").removesuffix("@simulation.example"),
            order.status,
            {line.sku: line.quantity for line in order.lines.all()},
        )
        for order in Order.objects.filter(is_welcome=False).order_by("pk").prefetch_related("lines")
    }


@pytest.fixture
def everything(system: System) -> str:
    """A system whose workers do all that is to be done; its address."""
    system.redis()
    web = system.web()
    system.relay()
    system.worker("users,orders,inventory,external")
    return web


@pytest.mark.timeout(300)
def test_a_log_is_sold_to_the_last_unit_and_totals_are_those_of_the_file(system, log, request):
    inventory.add_location(code="MAIN", name="Main store")
    inventory.add_product(sku="WELCOME", name="A gift", price=Decimal(0))
    inventory.receive_stock(sku="WELCOME", location="MAIN", quantity=100, reason="first delivery")
    system.environment["WELCOME_SKU"] = "WELCOME"
    web = request.getfixturevalue("everything")

    done = system.manage("simulate", "--file", str(log), "--url", web)

    assert done.returncode == 0, done.stdout + done.stderr
    rows, expected = purchases(log), orders_in(log)
    assert len({(row.customer, row.day, row.sku) for row in rows}) < len(rows), "no product stands twice in an order"
    table = figures(done.stdout)
    assert (table["accepted"], table["confirmed"]) == (expected.total(), expected.total())
    assert not any(table[name] for name in ("rejected", "cancelled", "unsettled", "not accepted"))
    placed = placed_orders().values()
    assert {order.status for order in placed} == {"confirmed"}
    assert Counter((order.customer, frozenset(order.units.items())) for order in placed) == expected

    per_product: Counter[str] = Counter()
    per_customer: Counter[str] = Counter()
    for row in rows:
        per_product[row.sku] += row.units
        per_customer[email_of(row.customer)] += row.units * row.price
    lines = OrderLine.objects.filter(order__is_welcome=False)
    assert dict(lines.values_list("sku").annotate(Sum("quantity"))) == per_product
    emails = dict(User.objects.values_list("pk", "email"))
    totals = Order.objects.values_list("customer_id").annotate(Sum("total"))
    assert {emails[customer]: total for customer, total in totals} == per_customer

    def status() -> dict:
        return json.loads(system.manage("bus_status", "--json").stdout)

    eventually(lambda: status()["events"]["unsettled"] == 0, within=60, what="all is handled")
    assert status()["deliveries"]["dead"] == 0
    assert system.manage("verify_stock").returncode == 0
    assert Order.objects.filter(is_welcome=True, status="confirmed").count() == len(per_customer)
    assert not any(user.has_usable_password() for user in User.objects.all())


@pytest.mark.timeout(300)
def test_with_stock_for_60_percent_units_are_conserved_and_nobody_is_turned_away_who_could_be_served(
    system, log, everything
):
    done = system.manage("simulate", "--file", str(log), "--url", everything, "--stock", "60")

    assert done.returncode == 0, done.stdout + done.stderr
    demand: Counter[str] = Counter()
    for row in purchases(log):
        demand[row.sku] += row.units
    placed = placed_orders()
    by_status = Counter(order.status for order in placed.values())
    table = figures(done.stdout)
    assert (table["confirmed"], table["rejected"]) == (by_status["confirmed"], by_status["rejected"])
    assert by_status.keys() == {"confirmed", "rejected"}
    assert Counter((order.customer, frozenset(order.units.items())) for order in placed.values()) == orders_in(log)

    sold: Counter[str] = Counter()
    for order in placed.values():
        if order.status == "confirmed":
            sold.update(order.units)
    left = {product.sku: product.available for product in Product.objects.with_available()}
    assert left == {sku: units * 60 // 100 - sold[sku] for sku, units in demand.items()}
    assert min(left.values()) >= 0
    for order_id, order in placed.items():
        kept = Reservation.objects.filter(allocation=order_id, state="active").values_list("stock__product__sku")
        assert dict(kept.annotate(Sum("quantity"))) == (order.units if order.status == "confirmed" else {})
    for order in placed.values():
        if order.status == "rejected":
            assert any(units > left[sku] for sku, units in order.units.items()), "it could have been met"
    assert system.manage("verify_stock").returncode == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stopping", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_what_it_did_so_far_and_that_was_the_beginning_of_what_the_seed_makes_up(
    system, drain, stopping
):
    plan = make_up(users=5, orders=500, seed=7)
    simulation_setup.supply(plan, percent=100, progress=silent)
    drain()
    arguments = ("--users", "5", "--orders", "500", "--seed", "7", "--rate", "10", "--clients", "1")
    process = system.start("simulate", sys.executable, "manage.py", "simulate", *arguments, "--url", system.web())
    eventually(lambda: Order.objects.count() >= 3, within=60, what="some orders are placed")
    process.send_signal(stopping)

    assert process.wait(timeout=30) == 130
    del system.processes["simulate"]
    printed = system.log("simulate").read_text()
    orders = placed_orders().values()
    table = figures(printed)
    assert (table["accepted"], table["unsettled"], table["confirmed"]) == (len(orders), len(orders), 0)
    assert f"interrupted after {len(orders)} of 500 orders" in printed
    # Here no worker runs and one client places them, so they are in their sequence.
    expected = [(basket.customer, basket.units) for basket, _ in zip(plan.baskets(), orders, strict=False)]
    assert [(order.customer, order.units) for order in orders] == expected


def test_orders_are_placed_at_the_rate_or_all_at_once():
    baskets = list(cups("ann", "bob", "cy").baskets())
    evenly = list(simulation.tickets(baskets, rate=4))
    assert [due - evenly[0][0] for due, _ in evenly] == pytest.approx([0, 0.25, 0.5])
    assert [basket for _, basket in evenly] == baskets
    assert len({due for due, _ in simulation.tickets(baskets, rate=None)}) == 1


def test_percentiles_are_times_that_some_order_took():
    tally = Tally()
    assert tally.percentile(99) is None
    tally.latencies.extend([30, 10, 20])
    assert (tally.percentile(50), tally.percentile(99)) == (20, 30)
    tally.latencies[:] = array("d", reversed(range(1, 101)))
    assert (tally.percentile(50), tally.percentile(99)) == (50, 99)


def test_a_second_run_finds_customers_and_products_there_and_only_tops_up_the_stock(db, published):
    inventory.add_location(code="MAIN", name="Main store")
    inventory.add_product(sku="CUP", name="My cup", price=Decimal("7.00"))
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=4, reason="first delivery")
    plan = cups("ann", "bob", "ann", "cy", "ann", "bob")
    for _ in range(2):
        simulation_setup.register(plan.customers, progress=silent)
        simulation_setup.supply(plan, percent=100, progress=silent)

    assert User.objects.count() == len(published(UserCreated)) == 3
    assert [(event.name, event.price) for event in published(ProductChanged)] == [("My cup", Decimal("7.00"))]
    assert Movement.objects.order_by("id").values_list("stock__location__code", "on_hand_delta")[::1] == [
        ("MAIN", 4),
        ("SIMULATION", 2),
    ]


def test_a_share_of_the_demand_is_rounded_down(db):
    simulation_setup.supply(cups(*"abcdefg", sku="TEA"), percent=60, progress=silent)
    assert Stock.objects.get(product__sku="TEA").on_hand == 4


def test_each_customer_has_one_address_of_its_own():
    customers = ["1", "01", "a", "A", "a ", "a+b", "ä", "ann@example.org", "x" * 500, "x" * 501, "customer"]
    addresses = [email_of(customer) for customer in customers]
    assert len(set(addresses)) == len(customers)
    assert addresses[0] == "customer-1@simulation.example"
    assert addresses == [email_of(customer) for customer in customers]


def test_any_name_of_a_customer_makes_an_account(db):
    accounts = simulation_setup.register(["ä ö", "x" * 500, "ann@example.org", "-"], progress=silent)
    assert User.objects.count() == len(accounts) == 4
