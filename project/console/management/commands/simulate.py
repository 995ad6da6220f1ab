"""`manage.py simulate`: customers who order over HTTP, made up or from a purchase log."""

import secrets
import signal
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from orders.models import Status
from project.bus.management import base
from project.console import simulation, simulation_plan, simulation_setup
from project.console.processes import stopping_signals
from project.console.simulation import Tally
from project.console.simulation_plan import BadLog, Plan
from project.console.simulation_setup import SimulationFailed

#: How many bad rows are named one by one, and seconds between two lines where there is no terminal.
NAMED, LINE_EVERY = 20, 5.0
#: Exit codes: as a shell's after Ctrl-C, and as argparse's.
INTERRUPTED, WRONG_ARGUMENTS = 130, 2


def whole_number(*, least: int) -> Callable[[str], int]:
    """The type of an argument."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return parse


def positive_number(text: str) -> float:
    """The type of an argument.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


class Command(base.Command):
    """Runs a simulation."""

    help = """\
Place orders over HTTP as many customers would, wait until each is confirmed or rejected, and print how it went.

A log is a CSV file with the columns customer, placed_at, sku, quantity, unit_price in any order; rows of one customer
and day are one order. What is missing is made first: customers (without a password, their addresses end in
@simulation.example), products (at the price of their latest purchase) and stock, received at the location SIMULATION.
A second run finds customers and products there, leaves them as they are and only tops up the stock.

The system must run (manage.py up), with the same DATABASE_URL and SECRET_KEY as this command.

examples:
  manage.py simulate --users 20 --orders 500              made-up orders for made-up products
  manage.py simulate --users 20 --orders 500 --seed 7     the same ones at every run
  manage.py simulate --file LOG.csv                       the orders of a purchase log

exit codes:
  0  every order was accepted and has ended
  1  not so, or nothing could be done
  2  wrong arguments, or no database that can be used
  130  Ctrl-C: it printed what was done so far"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what is to be ordered, and how."""
        parser.add_argument("--file", type=Path, metavar="LOG.csv", help="replay this purchase log")
        parser.add_argument("--users", type=whole_number(least=1), metavar="N", help="make up so many customers")
        parser.add_argument("--orders", type=whole_number(least=1), metavar="M", help="make up so many orders")
        parser.add_argument(
            "--seed", type=whole_number(least=0), metavar="S", help="make up the same as with this seed"
        )
        parser.add_argument(
            "--rate",
            type=positive_number,
            metavar="R",
            help="place so many orders a second, if the clients can; otherwise as many as they can",
        )
        parser.add_argument(
            "--clients", type=whole_number(least=1), default=4, metavar="C", help="place so many at once (default: 4)"
        )
        parser.add_argument(
            "--stock",
            type=whole_number(least=0),
            default=100,
            metavar="PERCENT",
            help="have stock for so much of each product's demand, rounded down (default: 100)",
        )
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="where the web server is (default: http://127.0.0.1:$PORT, now %(default)s)",
        )

    def handle(self, *, clients: int, rate: float | None, stock: int, url: str, **options: Any) -> None:
        """Run it and print how it went.

        Raises:
            CommandError: it cannot begin, was interrupted, or orders were refused or did not end.
        """
        plan = self.plan(**{name: options[name] for name in ("file", "users", "orders", "seed")})
        base_url = f"{url.rstrip('/')}/api/v1/"
        for stopping in stopping_signals():
            signal.signal(stopping, signal.default_int_handler)  # whatever ends it, it says how far it came
        tally = Tally()
        trouble: CommandError | None = None
        try:
            simulation_setup.check_server(base_url)
            with shown_progress() as progress:
                accounts = simulation_setup.prepare(plan, base_url=base_url, percent=stock, progress=progress)
                simulation.run(
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
            trouble = CommandError(f"{done}; those that were accepted go on", returncode=INTERRUPTED)
        if tally.answered or (trouble is not None and trouble.returncode == INTERRUPTED):
            self.report(plan, tally)
        if trouble is None and tally.failures:
            trouble = CommandError(f"{tally.failures.total()} of {plan.orders} orders were not accepted")
        if trouble is not None:
            raise trouble

    def plan(self, *, file: Path | None, users: int | None, orders: int | None, seed: int | None) -> Plan:
        """What the arguments ask for.

        Raises:
            CommandError: they do not go together, or the file cannot be used.
        """
        if file is None:
            if users is None or orders is None:
                raise CommandError("Give --users and --orders together, or --file.", returncode=WRONG_ARGUMENTS)
            if seed is None:
                seed = secrets.randbelow(1_000_000)
            self.stdout.write(f"seed {seed}")
            return simulation_plan.make_up(users=users, orders=orders, seed=seed)
        made_up = {"--users": users, "--orders": orders, "--seed": seed}
        if given := [name for name, value in made_up.items() if value is not None]:
            raise CommandError(
                f"--file says what is ordered: leave out {', '.join(given)}, or --file.", returncode=WRONG_ARGUMENTS
            )
        try:
            return simulation_plan.read_log(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except BadLog as error:
            shown = list(error.problems[:NAMED])
            if more := len(error.problems) - len(shown):
                shown.append(f"and {more} more")
            raise CommandError(
                "\n".join((*shown, f"{len(error.problems)} things are wrong in {file}: nothing was done"))
            ) from error

    def report(self, plan: Plan, tally: Tally) -> None:
        """Print the table, and below it why orders were not accepted."""
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
        console = Console(highlight=False)
        console.print(table)
        for reason, number in tally.failures.most_common():
            console.print(f"not accepted: {number} x {reason}", markup=False, soft_wrap=True)
        if differ := simulation_setup.prices_that_differ(plan.prices):
            console.print(f"products with another price here than in the log, which was charged: {differ}")


@contextmanager
def shown_progress() -> Iterator[simulation_setup.Progress]:
    """Shows what it is told: as bars in a terminal, as a line now and then elsewhere."""
    console = Console(highlight=False)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console) as bars:
            tasks: dict[str, TaskID] = {}

            def draw(step: str, done: int, total: int, note: str) -> None:
                if step not in tasks:
                    tasks[step] = bars.add_task(step, total=total, note=note)
                bars.update(tasks[step], completed=done, note=note)

            yield draw
        return

    printed: dict[str, tuple[float, str]] = {}

    def print_line(step: str, done: int, total: int, note: str) -> None:
        line = f"  {step} {done}/{total}{f' ({note})' if note else ''}"
        at, before = printed.get(step, (0.0, ""))
        if line != before and (done == total or time.monotonic() - at >= LINE_EVERY):
            printed[step] = (time.monotonic(), line)
            console.print(line, soft_wrap=True)

    yield print_line
