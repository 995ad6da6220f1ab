"""Errors of `manage.py simulate`."""

import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from inventory import operations as inventory
from orders.models import Order, OrderChange
from project.demo import simulation, simulation_setup
from project.demo.management.commands.simulate import Command
from project.demo.simulation import Tally
from project.demo.simulation_plan import Basket, Plan, random_plan
from project.demo.simulation_setup import SimulationFailed, email_for
from tests.demo.plans import cups, ignore_progress, table_figures
from tests.system import System, eventually, free_port
from users import operations as users
from users.models import User


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with one purchase."""
    (tmp_path / "log.csv").write_text("customer,placed_at,sku,quantity,unit_price\nann,2026-01-01,CUP,1,4.50\n")
    return tmp_path / "log.csv"


@pytest.fixture
def shop(system: System, drain) -> str:
    """The address of a web server without workers, and with a product that can be ordered."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="USD")
    drain()
    return system.web()


def run(plan: Plan, *, base_url: str, tally: Tally) -> None:
    accounts = simulation_setup.register(plan.customers, progress=ignore_progress)
    simulation.place_and_watch(
        plan, accounts=accounts, base_url=base_url, clients=2, rate=None, tally=tally, progress=ignore_progress
    )


def test_refused_orders_are_counted_by_reason_and_fail_the_command(system, shop, log, drain):
    with log.open("a") as file:
        file.write("ann,2026-01-01,TEA,1,2.00\nbob,2026-01-01,CUP,1,4.50\nbob,2026-01-01,TEA,1,2.00\n")
    inventory.add_product(sku="TEA", name="Tea", price=Decimal("2.50"), currency="EUR")
    drain()

    done = system.manage("simulate", "--file", str(log), "--url", shop)

    assert done.returncode == 1
    assert table_figures(done.stdout)["not accepted"] == 2
    assert "not accepted: 2 x 400 lines[1].sku: Priced in EUR, but the first line in USD." in done.stdout
    assert "products with another price here, which was charged: 1" in done.stdout
    assert done.stderr.splitlines() == ["CommandError: 2 of 2 orders were not accepted"]
    assert not Order.objects.exists()


def test_interrupt_before_the_first_order_is_reported(system, log):
    process = system.start(
        "simulate", sys.executable, "manage.py", "simulate", "--file", str(log), "--url", system.web()
    )
    printed = system.log("simulate")
    # Without a worker, the product never reaches the catalogue of orders.
    eventually(lambda: "orderable 0/1" in printed.read_text(), within=60, what="the simulation waits for the catalogue")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    del system.processes["simulate"]
    assert set(table_figures(printed.read_text()).values()) == {0}
    assert "interrupted after 0 of 1 orders" in printed.read_text()


def test_orders_that_no_worker_handles_time_out(shop, monkeypatch):
    monkeypatch.setattr(simulation, "NO_NEWS_LIMIT_S", 0.5)
    tally = Tally()
    with pytest.raises(SimulationFailed, match=r"2 orders wait: .*manage.py up"):
        run(cups("ann", "bob"), base_url=f"{shop}/api/v1/", tally=tally)
    assert (tally.accepted, len(tally.waiting)) == (2, 2)


def test_stopped_server_ends_the_simulation(db, monkeypatch):
    monkeypatch.setattr(simulation, "RECONNECT_LIMIT_S", 0.3)
    tally = Tally()
    with pytest.raises(SimulationFailed, match="no longer answers"):
        run(cups("ann", "bob"), base_url=f"http://127.0.0.1:{free_port()}/api/v1/", tally=tally)
    assert tally.answered == 0


def test_products_missing_from_the_catalogue_time_out(db, monkeypatch):
    monkeypatch.setattr(simulation_setup, "CATALOGUE_LIMIT_S", 0.3)
    with pytest.raises(SimulationFailed, match=r"1 of 1 products cannot be ordered yet: .*manage.py up"):
        simulation_setup.wait_for_catalogue(["CUP"], progress=ignore_progress)


def test_server_with_another_secret_key_is_reported(system, shop, log):
    system.environment["SECRET_KEY"] = "another one than the server has, of some length"
    done = system.manage("simulate", "--file", str(log), "--url", shop)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "SECRET_KEY" in line
    assert not Order.objects.exists()


@pytest.mark.parametrize("what", ["product", "customer", "location"])
def test_inactive_product_customer_or_location_is_reported(system, shop, log, what):
    if what == "product":
        inventory.change_product(sku="CUP", active=False)
        expected = "CUP"
    elif what == "customer":
        users.register_user(email=email_for("ann"), password=None)
        User.objects.update(is_active=False)
        expected = email_for("ann")
    else:
        location = inventory.add_location(code="SIMULATION", name="Closed")
        location.active = False
        location.save()
        expected = "SIMULATION"

    done = system.manage("simulate", "--file", str(log), "--url", shop)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert expected in line
    assert "ctivate" in line
    assert not Order.objects.exists()


@pytest.fixture
def another_server() -> Iterator[str]:
    """The address of a web server that answers 501 to every method."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "counted"), [(None, "no answer (RemoteProtocolError)"), (502, "502 Bad Gateway")])
def test_an_order_without_a_usable_answer_is_counted_by_what_came_instead(status, counted):
    class Broken(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if status is not None:
                self.send_error(status)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    answers: simulation.Answers = SimpleQueue()
    orders = iter([(0.0, Basket("ann", {"CUP": 1}))])
    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        simulation.run_client(
            lambda: next(orders, None),
            accounts={"ann": User(email="ann@example.org")},
            base_url=f"http://127.0.0.1:{server.server_port}/",
            answers=answers,
            stop=Event(),
        )
        server.shutdown()
        thread.join()
    assert answers.get_nowait() == counted
    assert answers.empty()


def test_a_server_that_vanishes_before_the_first_order_is_reported():
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(SimulationFailed, match=f"{url} no longer answers"):
        simulation_setup.check_token(User(email="ann@example.org"), base_url=url)


def test_an_order_that_is_cancelled_after_it_was_confirmed_is_counted_once(db):
    order = Order.objects.create(customer_id=User().pk, currency="EUR", total=1, status="cancelled", version=3)
    for sequence, status in enumerate(("placed", "confirmed", "cancelled"), start=1):
        OrderChange.objects.create(order=order, sequence=sequence, to_status=status)
    tally = Tally()
    tally.waiting.add(order.pk)
    simulation.count_ended(tally)
    assert dict(tally.ended) == {"confirmed": 1}
    assert not tally.waiting


def test_unreachable_server_is_reported_in_one_line_and_nothing_is_created(system, log):
    url = f"http://127.0.0.1:{free_port()}"
    done = system.manage("simulate", "--file", str(log), "--url", url)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert url in line
    assert "manage.py up" in line
    assert not User.objects.exists()


def test_another_program_at_the_address_is_reported(system, log, another_server):
    done = system.manage("simulate", "--file", str(log), "--url", another_server)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "was answered 501" in line
    assert not User.objects.exists()


def test_twenty_invalid_rows_are_listed_and_the_rest_counted_and_nothing_is_created(db, log):
    with log.open("a") as file:
        file.write("ann,2026-01-01,TEA,0,1.00\n" * 23)
    with pytest.raises(CommandError) as refusal:
        call_command("simulate", file=log)
    lines = str(refusal.value).splitlines()
    assert lines[0] == "line 3: quantity '0' is not a whole number from 1 to 10000"
    assert len(lines) == 22
    assert lines[20] == "and 3 more"
    assert lines[21].startswith("23 errors")
    assert refusal.value.returncode == 1
    assert not User.objects.exists()


def test_a_few_invalid_rows_are_all_listed(db, log):
    with log.open("a") as file:
        file.write("ann,2026-01-01,TEA,0,1.00\n")
    with pytest.raises(CommandError) as refusal:
        call_command("simulate", file=log)
    first, *others = str(refusal.value).splitlines()
    assert first == "line 3: quantity '0' is not a whole number from 1 to 10000"
    assert not [line for line in others if line.startswith("and ")]


def test_a_simulation_without_a_seed_prints_the_one_it_chose(capsys):
    chosen = Command().plan(file=None, users=3, orders=4, seed=None)
    seed = int(capsys.readouterr().out.removeprefix("seed "))
    assert list(chosen.baskets()) == list(random_plan(users=3, orders=4, seed=seed).baskets())


@pytest.mark.parametrize("name", ["no.csv", "."])
def test_unreadable_file_is_reported(tmp_path, name):
    with pytest.raises(CommandError, match=r"cannot be read: (No such file|Is a directory)"):
        call_command("simulate", "--file", str(tmp_path / name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--users and --orders together, or --file"),
        ("--users 3", "--users and --orders together, or --file"),
        ("--orders 3 --seed 1", "--users and --orders together, or --file"),
        ("--file x.csv --users 3", "remove --users"),
        ("--file x.csv --seed 3", "remove --seed"),
        ("--users 0 --orders 1", "'0' is not a whole number from 1 up"),
        ("--users 1 --orders many", "'many' is not a whole number from 1 up"),
        ("--users 1 --orders 1 --rate 0", "'0' is not a number above 0"),
        ("--users 1 --orders 1 --rate inf", "'inf' is not a number above 0"),
        ("--users 1 --orders 1 --rate fast", "'fast' is not a number above 0"),
        ("--users 1 --orders 1 --stock -1", "'-1' is not a whole number from 0 up"),
        ("--users 1 --orders 1 --clients 0", "'0' is not a whole number from 1 up"),
        ("--users 1 --orders 1 --sede 1", "unrecognized arguments: --sede 1"),
    ],
)
def test_invalid_arguments_are_explained(arguments, message):
    with pytest.raises(CommandError) as refusal:
        call_command("simulate", *arguments.split())
    assert message in str(refusal.value)


@pytest.mark.parametrize(("setting", "value"), [("MAX_OPEN_ORDERS", "1"), ("MAX_HELD_UNITS", "1")])
def test_orders_beyond_a_quota_are_counted_with_the_setting_to_change(system, drain, monkeypatch, setting, value):
    monkeypatch.setattr(simulation, "NO_NEWS_LIMIT_S", 0.5)
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"), currency="USD")
    drain()
    system.environment[setting] = value
    tally = Tally()
    with pytest.raises(SimulationFailed):
        run(cups("ann", "ann", "ann", "bob"), base_url=f"{system.web()}/api/v1/", tally=tally)
    assert tally.accepted == 2
    reason = f"429 the customer exceeds {setting}: give the server a higher one"
    assert tally.failures == {reason: 2}


def test_the_simulation_waits_as_long_as_the_server_says(db):
    throttled = {"type": simulation.TOO_MANY_CALLS, "detail": "Wait."}
    headers = {"content-type": "application/problem+json", "retry-after": "0"}
    accepted = "01a20a8f-e25a-7378-9573-5974eee2bbea"
    answers = iter(
        [httpx.Response(429, json=throttled, headers=headers)] * 3 + [httpx.Response(201, json={"id": accepted})]
    )
    account = users.register_user(email="ann@example.org", password=None)
    basket = Basket("ann", {"CUP": 1})
    transport = httpx.MockTransport(lambda _: next(answers))
    with httpx.Client(base_url="http://127.0.0.1/", transport=transport) as client:
        assert str(simulation.place(client, basket, account=account, stop=Event())) == accepted
