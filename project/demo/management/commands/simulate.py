"""`manage.py simulate`: place random orders, or those of a purchase log, over HTTP."""

import secrets
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from orders.models import Status
from project.bus.management import base
from project.bus.management.output import EscapedConsole
from project.bus.text import escaped
from project.console.harness.process import stopping_signals
from project.demo import simulation, simulation_plan, simulation_setup
from project.demo.progress import show_progress
from project.demo.simulation import Tally
from project.demo.simulation_plan import InvalidLog, Plan
from project.demo.simulation_setup import SimulationFailed

#: Errors of a log that are printed one by one; the rest are counted.
MAX_PROBLEMS_SHOWN = 20
#: Exit codes: a shell's after Ctrl-C, and argparse's.
INTERRUPTED, WRONG_ARGUMENTS = 130, 2


def whole_number(*, least: int) -> Callable[[str], int]:
    """Return an argparse type."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return parse


def positive_number(text: str) -> float:
    """Parse an argument.

    Raises:
        ArgumentTypeError: the text is not a positive number.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


class Command(base.Command):
    help = """\
Place orders over HTTP as many customers would, wait until each is confirmed or rejected, and print the results.

A log is a CSV file with the columns customer, placed_at, sku, quantity, unit_price in any order. The rows of one
customer and day are one order. First the command adds what is missing: customers (without a password, with addresses
that end in @simulation.example), products (at the price of their latest purchase) and stock (at the location
SIMULATION). A second run leaves existing customers and products as they are, and only adds missing stock.

The system must run (manage.py up), with the same DATABASE_URL and SECRET_KEY as this command.

examples:
  manage.py simulate --users 20 --orders 500              random orders for 50 products
  manage.py simulate --users 20 --orders 500 --seed 7     the same orders at every run
  manage.py simulate --file LOG.csv                       the orders of a purchase log

exit codes:
  0    every order was accepted and is settled
  1    some were not, or the simulation could not run
  2    wrong arguments, or no usable database
  130  interrupted; the results so far are printed"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, metavar="LOG.csv", help="replay this purchase log")
        parser.add_argument("--users", type=whole_number(least=1), metavar="N", help="use N random customers")
        parser.add_argument("--orders", type=whole_number(least=1), metavar="M", help="place M random orders")
        parser.add_argument(
            "--seed",
            type=whole_number(least=0),
            metavar="S",
            help="place the same random orders as with this seed",
        )
        parser.add_argument(
            "--rate",
            type=positive_number,
            metavar="R",
            help="place R orders a second, if the clients can (default: as many as they can)",
        )
        parser.add_argument(
            "--clients", type=whole_number(least=1), default=4, metavar="C", help="place C orders at once (default: 4)"
        )
        parser.add_argument(
            "--stock",
            type=whole_number(least=0),
            default=100,
            metavar="PERCENT",
            help="provide stock for PERCENT of each product's demand, rounded down (default: 100)",
        )
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="the address of the web server (default: http://127.0.0.1:$PORT, now %(default)s)",
        )

    def handle(self, *, clients: int, rate: float | None, stock: int, url: str, **options: Any) -> None:
        """Run the simulation and print its results.

        Raises:
            CommandError: it cannot start, was interrupted, or orders were refused or not settled.
        """
        plan = self.plan(**{name: options[name] for name in ("file", "users", "orders", "seed")})
        base_url = f"{url.rstrip('/')}/api/v1/"
        for stopping in stopping_signals():
            signal.signal(stopping, signal.default_int_handler)  # so that every signal prints the results
        tally = Tally()
        trouble: CommandError | None = None
        try:
            simulation_setup.check_server(base_url)
            with show_progress(self.stdout) as progress:
                accounts = simulation_setup.prepare(plan, base_url=base_url, percent=stock, progress=progress)
                simulation.place_and_watch(
                    plan,
                    accounts=accounts,
                    base_url=base_url,
                    clients=clients,
                    rate=rate,
                    tally=tally,
                    progress=progress,
                )
        except SimulationFailed as error:
            trouble = CommandError(str(error))
        except KeyboardInterrupt:
            done = f"interrupted after {tally.answered} of {plan.orders} orders"
            trouble = CommandError(f"{done}; the accepted ones continue", returncode=INTERRUPTED)
        if tally.answered or (trouble is not None and trouble.returncode == INTERRUPTED):
            self.report(plan, tally)
        if trouble is None and tally.failures:
            trouble = CommandError(f"{tally.failures.total()} of {plan.orders} orders were not accepted")
        if trouble is not None:
            raise trouble

    def plan(self, *, file: Path | None, users: int | None, orders: int | None, seed: int | None) -> Plan:
        """Return the plan that the arguments ask for.

        Raises:
            CommandError: the arguments exclude each other, or the file cannot be used.
        """
        if file is None:
            if users is None or orders is None:
                raise CommandError("Give --users and --orders together, or --file.", returncode=WRONG_ARGUMENTS)
            if seed is None:
                seed = secrets.randbelow(1_000_000)
            self.stdout.write(f"seed {seed}")
            return simulation_plan.random_plan(users=users, orders=orders, seed=seed)
        made_up = {"--users": users, "--orders": orders, "--seed": seed}
        if given := [name for name, value in made_up.items() if value is not None]:
            raise CommandError(
                f"--file says what is ordered: remove {', '.join(given)}, or --file.", returncode=WRONG_ARGUMENTS
            )
        try:
            return simulation_plan.read_log(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except InvalidLog as error:
            shown = list(error.problems[:MAX_PROBLEMS_SHOWN])
            if more := len(error.problems) - len(shown):
                shown.append(f"and {more} more")
            raise CommandError(
                "\n".join((*shown, f"{len(error.problems)} errors in {file}: nothing was done"))
            ) from error

    def report(self, plan: Plan, tally: Tally) -> None:
        """Print the table of results, and why orders were not accepted."""
        figures: dict[str, float | None] = {
            "accepted": tally.accepted,
            "confirmed": tally.ended[Status.CONFIRMED],
            "rejected": tally.ended[Status.REJECTED],
            "cancelled": tally.ended[Status.CANCELLED],
            "unsettled": len(tally.waiting),
            "not accepted": tally.failures.total(),
            "orders per second": tally.per_second,
            "p50 to confirmation, ms": tally.percentile(50),
            "p99 to confirmation, ms": tally.percentile(99),
        }
        table = Table("orders", show_header=False)
        table.add_column(justify="right")
        for name, figure in figures.items():
            whole = f"{figure:,}" if isinstance(figure, int) else f"{figure:,.1f}" if figure is not None else "-"
            table.add_row(name, whole)
        console = EscapedConsole(self.stdout)
        console.print(table)
        for reason, number in tally.failures.most_common():
            console.print(f"not accepted: {number} x {escaped(reason)}", soft_wrap=True)
        if differ := simulation_setup.prices_that_differ(plan.prices):
            console.print(f"products with another price here, which was charged: {differ}")
