"""`manage.py demo`: the whole system, used for a minute and then judged."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from project.bus.management import base
from project.console.demo_content import SCARCE_SKU
from project.console.demo_shop import DemoFailed, Outcome, shop
from project.console.processes import kill_group, start_process, stopping_signals

#: Seconds that the system has to start and to stop, and that events have to be handled after the orders are settled.
START_LIMIT, STOP_LIMIT, HANDLING_LIMIT = 60.0, 12.0, 30.0


class Command(base.Command):
    """Runs the demo."""

    help = """\
Start everything in a temporary directory and on a free port, use it for a minute, judge it, and stop it.

Ten users register over HTTP and place orders, some for more than there is, and one is cancelled. When all are settled
it prints that order's story, what became of the orders, and whether the invariants hold: nothing unsettled, nothing
dead, the scarce product sold exactly as often as there were units of it, and stock that agrees with its ledger.
DATABASE_URL and BROKER_URL are used if they are set.

example:
  manage.py demo    or: make demo

exit codes:
  0    the invariants hold
  1    they do not, or something did not start; log and data are kept, and it says where
  2    wrong arguments
  130  it was interrupted; nothing is left running"""

    # The commands that it starts check the settings that they are given.
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        """Run the demo and print its verdict; the directory is kept when something is wrong."""
        for stopping in stopping_signals():
            signal.signal(stopping, signal.default_int_handler)  # whatever ends it, it cleans up
        directory = Path(tempfile.mkdtemp(prefix="orderly-demo-"))
        self.stdout.write("starting everything")
        self.stdout.flush()
        environment = demo_environment(directory)
        try:
            with running_system(environment, log=directory / "up.log") as client:
                bus_status_when_handled(environment)  # the orders service must have heard of the products
                outcome = shop_with_progress(client)
                status = bus_status_when_handled(environment)
                self.stdout.write(run("trace", outcome.cancelled_id, environment=environment).stdout)
                broken = broken_invariants(outcome, status=status, environment=environment)
        except KeyboardInterrupt:
            shutil.rmtree(directory)
            raise CommandError("interrupted; nothing is left running", returncode=130) from None
        except DemoFailed as error:
            raise CommandError(f"{error}. Log and data are in {directory}") from error
        for name, number in counts(outcome).items():
            self.stdout.write(f"{name}: {number}")
        if broken:
            self.stderr.write(f"log and data are in {directory}")
            self.stdout.write(f"invariants: BROKEN: {'; '.join(broken)}")
            sys.exit(1)
        shutil.rmtree(directory)
        self.stdout.write("invariants: hold")


def demo_environment(directory: Path) -> dict[str, str]:
    """The environment of a system that shares nothing with another on this machine, unless it is told to."""
    kept = {name: value for name, value in os.environ.items() if name not in ("ALLOWED_HOSTS", "EMAIL_URL")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The trace is printed by a process that cannot see how wide the terminal is.
    columns = shutil.get_terminal_size(fallback=(120, 24)).columns
    return kept | {
        "DATA_DIR": str(directory),
        # A worker that had to be killed leaves its temporary directory behind.
        "TMPDIR": str(directory),
        "PORT": str(port),
        "DEBUG": "1",
        "WELCOME_SKU": "WELCOME",
        "COLUMNS": str(columns),
    }


@contextmanager
def running_system(environment: Mapping[str, str], *, log: Path) -> Iterator[httpx.Client]:
    """A new system, for as long as this is open; gives a client of its API.

    Raises:
        DemoFailed: it does not start or does not stop.
    """
    run("migrate", "--verbosity", "0", environment=environment)
    run("demo_data", environment={**environment, "DEBUG": "0"})  # without its admin, whom nobody needs here
    with log.open("wb") as output:
        up = start_process(
            [sys.executable, "manage.py", "up"], cwd=settings.BASE_DIR, environment=environment, output=output.fileno()
        )
    try:
        base = f"http://127.0.0.1:{environment['PORT']}/api/v1/"
        with httpx.Client(base_url=base, timeout=10, trust_env=False) as client:
            wait_until_ready(client, up, log=log)
            yield client
        up.terminate()
        if up.wait(STOP_LIMIT) != 0:
            raise DemoFailed(f"manage.py up stopped with exit code {up.returncode}")
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"manage.py up did not stop within {STOP_LIMIT:g} s") from error
    finally:
        stop(up)


def wait_until_ready(client: httpx.Client, up: subprocess.Popen[bytes], *, log: Path) -> None:
    """Return as soon as the API answers."""
    deadline = time.monotonic() + START_LIMIT
    while True:
        if up.poll() is not None:
            raise DemoFailed(f"manage.py up ended: {last_line(log.read_text())}")
        try:
            client.get("products/").raise_for_status()
        except httpx.HTTPError as error:
            if time.monotonic() > deadline:
                raise DemoFailed(f"the API did not answer within {START_LIMIT:g} s: {error}") from error
            time.sleep(0.1)
        else:
            return


def stop(up: subprocess.Popen[bytes]) -> None:
    """Stop everything, in its own good order if it can still do that."""
    up.terminate()
    try:
        up.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        kill_group(up)


def shop_with_progress(client: httpx.Client) -> Outcome:
    """Let the customers shop, with bars in a terminal and a line now and then elsewhere."""
    console = Console()
    if not console.is_terminal:
        return shop(client, progress=print_progress)
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {step: bars.add_task(step, total=None) for step in ("users", "orders", "settled")}
        return shop(client, progress=lambda step, done, total: bars.update(tasks[step], completed=done, total=total))


def print_progress(step: str, done: int, total: int) -> None:
    """A line for every tenth, and for the last."""
    if done % 10 == 0 or done == total:
        Console().print(f"  {step} {done}/{total}", highlight=False)


def bus_status_when_handled(environment: Mapping[str, str]) -> dict[str, Any]:
    """The bus's figures once every event is handled, or when the time for that is over."""
    deadline = time.monotonic() + HANDLING_LIMIT
    while True:
        status: dict[str, Any] = json.loads(run("bus_status", "--json", environment=environment).stdout)
        if status["events"]["unsettled"] == 0 or time.monotonic() > deadline:
            return status


def broken_invariants(outcome: Outcome, *, status: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """What is not as it must be, in words; empty when all is well."""
    verify = run("verify_stock", environment=environment, must_succeed=False)
    findings = {
        f"{status['events']['unsettled']} events are unsettled": status["events"]["unsettled"] > 0,
        f"{status['deliveries']['dead']} deliveries are dead": status["deliveries"]["dead"] > 0,
        f"of {outcome.scarce_units} units of {SCARCE_SKU} {outcome.scarce_sold} were sold": (
            outcome.scarce_sold != outcome.scarce_units
        ),
        "the cancelled order is not cancelled": outcome.statuses["cancelled"] == 0,
        f"verify_stock: {last_line(verify.stdout + verify.stderr)}": verify.returncode != 0,
    }
    return [words for words, is_broken in findings.items() if is_broken]


def counts(outcome: Outcome) -> dict[str, int]:
    """The figures of the verdict."""
    return {
        "users": outcome.users,
        "orders": outcome.statuses.total(),
        "confirmed": outcome.confirmed,
        "rejected": outcome.statuses["rejected"],
        "cancelled": outcome.statuses["cancelled"],
    }


def run(
    command: str, *arguments: str, environment: Mapping[str, str], must_succeed: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end.

    Raises:
        DemoFailed: it failed, and must not.
    """
    done = subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, "manage.py", command, *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if must_succeed and done.returncode != 0:
        raise DemoFailed(f"manage.py {command} failed: {last_line(done.stderr)}")
    return done


def last_line(text: str) -> str:
    """The last line that says something; what is indented only goes on with it."""
    lines = [line for line in text.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1] if lines else "it printed nothing"
