"""`manage.py demo`: run the whole system for a minute, and check that its invariants hold."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import CommandError

from project.bus.management import base
from project.bus.management.output import stream_of
from project.console.harness import process, programs
from project.demo.content import SCARCE_SKU
from project.demo.progress import show_progress
from project.demo.shop import DemoFailed, Outcome, shop

#: For the system to start and to stop, and for events to be handled after the orders are settled.
START_LIMIT_S, STOP_LIMIT_S, HANDLING_LIMIT_S = 60.0, 12.0, 30.0


class Command(base.Command):
    help = """\
Start everything in a temporary directory and on a free port, use it for a minute, check it, and stop it.

Ten users register over HTTP and place orders, some for more units than there are, and one order is cancelled. When all
orders are settled, the command prints the trace of that order, the number of orders in each status, and whether the
invariants hold: no event is unsettled, no delivery is dead, every unit of the scarce product is sold exactly once, and
stock agrees with its ledger. DATABASE_URL and BROKER_URL are used if they are set.

example:
  manage.py demo    or: make demo

exit codes:
  0    the invariants hold
  1    they do not, or a process did not start; the last line says where log and data are
  2    wrong arguments
  130  interrupted; no process is left"""

    # The commands that it starts run the checks, with their own settings.
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        """Run the demo and print the result. The directory is removed only if the invariants hold."""
        for stopping in process.stopping_signals():
            signal.signal(stopping, signal.default_int_handler)  # so that every signal cleans up
        directory = Path(tempfile.mkdtemp(prefix="orderly-demo-"))
        self.stdout.write("starting everything")
        self.stdout.flush()
        environment = demo_environment(directory)
        try:
            with running_system(environment, log=directory / "up.log") as client:
                wait_until_handled(environment)  # the orders service must have copied the products
                with show_progress(self.stdout) as progress:
                    outcome = shop(client, progress=progress)
                status = wait_until_handled(environment)
                # As that command escaped it and, if it was told to, coloured it.
                stream_of(self.stdout).write(run_command("trace", outcome.cancelled_id, environment=environment).stdout)
                broken = broken_invariants(outcome, status=status, environment=environment)
        except KeyboardInterrupt:
            shutil.rmtree(directory)
            raise CommandError("interrupted; no process is left running", returncode=130) from None
        except DemoFailed as error:
            raise CommandError(f"{error}. Log and data are in {directory}") from error
        for name, number in summary(outcome).items():
            self.stdout.write(f"{name}: {number}")
        if broken:
            self.stderr.write(f"log and data are in {directory}")
            self.stdout.write(f"invariants: BROKEN: {'; '.join(broken)}")
            sys.exit(1)
        shutil.rmtree(directory)
        self.stdout.write("invariants: hold")


def demo_environment(directory: Path) -> dict[str, str]:
    """Return an environment that shares nothing with other systems here, except what DATABASE_URL and so on name."""
    kept = {name: value for name, value in os.environ.items() if name not in ("ALLOWED_HOSTS", "EMAIL_URL")}
    # The process that prints the trace does not see the width of the terminal.
    columns = shutil.get_terminal_size(fallback=(120, 24)).columns
    return kept | {
        "DATA_DIR": str(directory),
        # A killed worker leaves its temporary directory behind.
        "TMPDIR": str(directory),
        "PORT": str(process.free_port()),
        "DEBUG": "1",
        "WELCOME_SKU": "WELCOME",
        "COLUMNS": str(columns),
    }


@contextmanager
def running_system(environment: Mapping[str, str], *, log: Path) -> Iterator[httpx.Client]:
    """Run a new system while this is open, and yield a client of its API.

    Raises:
        DemoFailed: the system does not start or does not stop.
    """
    run_command("migrate", "--verbosity", "0", environment=environment)
    run_command("demo_data", environment={**environment, "DEBUG": "0"})  # without the demo admin
    with log.open("wb") as output:
        up = process.start(
            programs.manage("up"),
            cwd=settings.BASE_DIR,
            environment=environment,
            stdout=output,
            dies_with_parent=True,
        )
    try:
        base = f"http://127.0.0.1:{environment['PORT']}/api/v1/"
        with httpx.Client(base_url=base, timeout=10, trust_env=False) as client:
            wait_until_ready(client, up, log=log)
            yield client
        if not process.stop(up, limit_s=STOP_LIMIT_S):
            raise DemoFailed(f"manage.py up did not stop within {STOP_LIMIT_S:g} s")
        if up.returncode != 0:
            raise DemoFailed(f"manage.py up stopped with exit code {up.returncode}")
    finally:
        process.stop(up, limit_s=STOP_LIMIT_S)


def wait_until_ready(client: httpx.Client, up: subprocess.Popen[bytes], *, log: Path) -> None:
    """Wait until the API answers.

    Raises:
        DemoFailed: with the last line of the log.
    """

    def api_answers() -> bool:
        with suppress(httpx.HTTPError):
            return client.get("products/").is_success
        return False

    try:
        process.wait_until(api_answers, within_s=START_LIMIT_S, what="the API answers", process=up)
    except process.NotReady as error:
        raise DemoFailed(f"manage.py up: {error}: {last_line(log.read_text())}") from error


def wait_until_handled(environment: Mapping[str, str]) -> dict[str, Any]:
    """Wait until every event is handled, but not forever, and return the status of the bus."""
    deadline = time.monotonic() + HANDLING_LIMIT_S
    while True:
        status: dict[str, Any] = json.loads(run_command("bus", "status", "--json", environment=environment).stdout)
        if status["events"]["unsettled"] == 0 or time.monotonic() > deadline:
            return status


def broken_invariants(outcome: Outcome, *, status: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Describe each broken invariant."""
    verify = run_command("verify_stock", environment=environment, must_succeed=False)
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


def summary(outcome: Outcome) -> dict[str, int]:
    return {
        "users": outcome.users,
        "orders": outcome.statuses.total(),
        "confirmed": outcome.confirmed,
        "rejected": outcome.statuses["rejected"],
        "cancelled": outcome.statuses["cancelled"],
    }


def run_command(
    command: str, *arguments: str, environment: Mapping[str, str], must_succeed: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a management command.

    Raises:
        DemoFailed: the command failed although it must succeed.
    """
    done = process.run_manage(command, *arguments, cwd=settings.BASE_DIR, environment=environment)
    if must_succeed and done.returncode != 0:
        raise DemoFailed(f"manage.py {command} failed: {last_line(done.stderr)}")
    return done


def last_line(text: str) -> str:
    """Return the last line that is not indented: an indented one continues another."""
    lines = [line for line in text.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1] if lines else "it printed nothing"
