"""`manage.py simulate` on a real system: its output and the database agree with the purchase log."""

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
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.db.models import Sum

from inventory import operations as inventory
from inventory.models import Movement, Product, Reservation, Stock
from orders.models import Order, OrderLine
from project.demo import simulation, simulation_setup
from project.demo.simulation import Tally
from project.demo.simulation_plan import random_plan
from project.demo.simulation_setup import email_for
from project.events import ProductChanged, UserCreated
from tests.demo.plans import cups, ignore_progress, table_figures
from tests.system import System, eventually
from users.models import User


class Purchase(NamedTuple):
    """A row of a log, parsed independently of the product's code."""

    customer: str
    day: str
    sku: str
    units: int
    price: Decimal


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Purchases of 40 customers on 6 days, in random order; some orders have a product twice."""
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
    """How often each customer places the same order, according to the log."""
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
    """The orders of the simulated customers, without their welcome orders."""
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
def running_shop(system: System) -> str:
    """The address of a system with a web server, a relay and a worker for all queues."""
    system.redis()
    web = system.web()
    system.relay()
    system.worker("users,orders,inventory,external")
    return web


@pytest.mark.timeout(300)
def test_all_orders_of_a_log_are_confirmed_and_totals_equal_the_log(system, log, request):
    inventory.add_location(code="MAIN", name="Main store")
    inventory.add_product(sku="WELCOME", name="A gift", price=Decimal(0))
    inventory.receive_stock(sku="WELCOME", location="MAIN", quantity=100, reason="first delivery")
    system.environment["WELCOME_SKU"] = "WELCOME"
    web = request.getfixturevalue("running_shop")

    done = system.manage("simulate", "--file", str(log), "--url", web)

    assert done.returncode == 0, done.stdout + done.stderr
    rows, expected = purchases(log), orders_in(log)
    assert len({(row.customer, row.day, row.sku) for row in rows}) < len(rows), "no order has a product twice"
    table = table_figures(done.stdout)
    assert (table["accepted"], table["confirmed"]) == (expected.total(), expected.total())
    assert not any(table[name] for name in ("rejected", "cancelled", "unsettled", "not accepted"))
    placed = placed_orders().values()
    assert {order.status for order in placed} == {"confirmed"}
    assert Counter((order.customer, frozenset(order.units.items())) for order in placed) == expected

    per_product: Counter[str] = Counter()
    per_customer: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        per_product[row.sku] += row.units
        per_customer[email_for(row.customer)] += row.units * row.price
    lines = OrderLine.objects.filter(order__is_welcome=False)
    assert dict(lines.values_list("sku").annotate(Sum("quantity"))) == per_product
    emails = dict(User.objects.values_list("pk", "email"))
    totals = Order.objects.values_list("customer_id").annotate(Sum("total"))
    assert {emails[customer]: total for customer, total in totals} == per_customer

    def status() -> dict[str, Any]:
        printed: dict[str, Any] = json.loads(system.manage("bus", "status", "--json").stdout)
        return printed

    eventually(lambda: status()["events"]["unsettled"] == 0, within=60, what="all events are settled")
    assert status()["deliveries"]["dead"] == 0
    assert system.manage("verify_stock").returncode == 0
    assert Order.objects.filter(is_welcome=True, status="confirmed").count() == len(per_customer)
    assert not any(user.has_usable_password() for user in User.objects.all())


@pytest.mark.timeout(300)
def test_with_stock_for_60_percent_no_unit_is_lost_and_only_orders_without_stock_are_rejected(
    system, log, running_shop
):
    done = system.manage("simulate", "--file", str(log), "--url", running_shop, "--stock", "60")

    assert done.returncode == 0, done.stdout + done.stderr
    demand: Counter[str] = Counter()
    for row in purchases(log):
        demand[row.sku] += row.units
    placed = placed_orders()
    by_status = Counter(order.status for order in placed.values())
    table = table_figures(done.stdout)
    assert (table["confirmed"], table["rejected"]) == (by_status["confirmed"], by_status["rejected"])
    assert by_status.keys() == {"confirmed", "rejected"}
    assert Counter((order.customer, frozenset(order.units.items())) for order in placed.values()) == orders_in(log)

    sold: Counter[str] = Counter()
    for order in placed.values():
        if order.status == "confirmed":
            sold.update(order.units)
    # The plugin of django-stubs does not see what a method of a queryset annotates.
    left = dict(Product.objects.with_available().values_list("sku", "available"))  # type: ignore[misc]
    assert left == {sku: units * 60 // 100 - sold[sku] for sku, units in demand.items()}
    assert min(left.values()) >= 0
    for order_id, order in placed.items():
        kept = Reservation.objects.filter(allocation=order_id, state="active").values_list("stock__product__sku")
        assert dict(kept.annotate(Sum("quantity"))) == (order.units if order.status == "confirmed" else {})
    for order in placed.values():
        if order.status == "rejected":
            assert any(units > left[sku] for sku, units in order.units.items()), "the stock suffices for this order"
    assert system.manage("verify_stock").returncode == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stopping", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_simulation_reports_its_orders_which_are_the_first_ones_of_the_seed(system, drain, stopping):
    plan = random_plan(users=5, orders=500, seed=7)
    simulation_setup.supply(plan, percent=100, progress=ignore_progress)
    drain()
    arguments = ("--users", "5", "--orders", "500", "--seed", "7", "--rate", "10", "--clients", "1")
    process = system.start("simulate", sys.executable, "manage.py", "simulate", *arguments, "--url", system.web())
    eventually(lambda: Order.objects.count() >= 3, within=60, what="some orders are placed")
    process.send_signal(stopping)

    assert process.wait(timeout=30) == 130
    del system.processes["simulate"]
    printed = system.log("simulate").read_text()
    orders = placed_orders().values()
    table = table_figures(printed)
    assert (table["accepted"], table["unsettled"], table["confirmed"]) == (len(orders), len(orders), 0)
    assert f"interrupted after {len(orders)} of 500 orders" in printed
    # One client places them, so they are in the order of the plan. No worker runs.
    expected = [(basket.customer, basket.units) for basket, _ in zip(plan.baskets(), orders, strict=False)]
    assert [(order.customer, order.units) for order in orders] == expected


def test_orders_are_scheduled_at_the_rate_or_all_at_once():
    baskets = list(cups("ann", "bob", "cy").baskets())
    evenly = list(simulation.schedule(baskets, rate=4))
    assert [due - evenly[0][0] for due, _ in evenly] == pytest.approx([0, 0.25, 0.5])
    assert [basket for _, basket in evenly] == baskets
    assert len({due for due, _ in simulation.schedule(baskets, rate=None)}) == 1


def test_percentiles_are_measured_latencies():
    tally = Tally()
    assert tally.percentile(99) is None
    tally.latencies.extend([30, 10, 20])
    assert (tally.percentile(50), tally.percentile(99)) == (20, 30)
    tally.latencies[:] = array("d", reversed(range(1, 101)))
    assert (tally.percentile(50), tally.percentile(99)) == (50, 99)


def test_second_run_keeps_customers_and_products_and_only_adds_missing_stock(db, published):
    inventory.add_location(code="MAIN", name="Main store")
    inventory.add_product(sku="CUP", name="My cup", price=Decimal("7.00"))
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=4, reason="first delivery")
    plan = cups("ann", "bob", "ann", "cy", "ann", "bob")
    for _ in range(2):
        simulation_setup.register(plan.customers, progress=ignore_progress)
        simulation_setup.supply(plan, percent=100, progress=ignore_progress)

    assert User.objects.count() == len(published(UserCreated)) == 3
    assert [(event.name, event.price) for event in published(ProductChanged)] == [("My cup", Decimal("7.00"))]
    assert list(Movement.objects.order_by("id").values_list("stock__location__code", "on_hand_delta")) == [
        ("MAIN", 4),
        ("SIMULATION", 2),
    ]


def test_share_of_the_demand_is_rounded_down(db):
    simulation_setup.supply(cups(*"abcdefg", sku="TEA"), percent=60, progress=ignore_progress)
    assert Stock.objects.get(product__sku="TEA").on_hand == 4


def test_each_customer_has_a_unique_stable_address():
    customers = ["1", "01", "a", "A", "a ", "a+b", "ä", "ann@example.org", "x" * 500, "x" * 501, "customer"]
    addresses = [email_for(customer) for customer in customers]
    assert len(set(addresses)) == len(customers)
    assert addresses[0] == "customer-1@simulation.example"
    assert addresses == [email_for(customer) for customer in customers]


def test_any_customer_name_gets_an_account(db):
    accounts = simulation_setup.register(["ä ö", "x" * 500, "ann@example.org", "-"], progress=ignore_progress)
    assert User.objects.count() == len(accounts) == 4
