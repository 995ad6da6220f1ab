"""python -m tests.controls: take each safeguard out, one at a time, and see that a test goes red.

A safeguard without which everything stays green is not tested. Each is removed in a copy of the project and by a
process of its own; what is printed is the name of the test that noticed. `make controls` runs it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("project", "users", "orders", "inventory", "tests", "benchmarks", "manage.py", "pyproject.toml")
AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Control:
    """A safeguard, and how it is taken out: in a file, a text that is there so many times becomes another."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    times: int = 1
    postgresql: bool = False
    #: A variable of the environment without which it is left out.
    needs: str = ""


CONTROLS = [
    Control(
        name="receipts",
        file="project/bus/consumer.py",
        old="mine = finish(claims=[claim for claim, _ in readable])",
        new="mine = {claim.delivery_id for claim, _ in readable}",
        tests="tests/bus/test_consumer.py::test_a_delivery_that_is_handled_becomes_a_receipt_of_the_same_id",
        postgresql=True,
    ),
    Control(
        name="the attempt count",
        file="project/bus/claims.py",
        old="SET attempts = 1, due_at",
        new="SET attempts = 0, due_at",
        times=2,
        tests="tests/bus/test_consumer.py::test_a_delivery_whose_worker_vanishes_each_time_is_a_dead_letter_that_says_so",
        postgresql=True,
    ),
    Control(
        name="the dead letter made by a claim",
        file="project/bus/claims.py",
        old="if due.attempts >= handler.attempts:",
        new="if due.attempts < 0:",
        tests="tests/bus/test_consumer.py::test_a_delivery_whose_worker_vanishes_each_time_is_a_dead_letter_that_says_so",
        postgresql=True,
    ),
    Control(
        name="singles after trouble",
        file="project/bus/endings.py",
        old="_change(claims, due_at=Now())",
        new="_change(claims, due_at=Now(), attempts=0)",
        tests="tests/bus/test_consumer.py::test_the_neighbours_of_a_bad_event_do_not_wait_for_their_second_try",
    ),
    Control(
        name="the fence on failure writes",
        file="project/bus/endings.py",
        old="still_ours = Delivery.objects.filter(pk=claim.delivery_id, attempts=claim.attempts, dead_at=None)",
        new="still_ours = Delivery.objects.filter(pk=claim.delivery_id)",
        tests="tests/bus/test_consumer.py::test_a_claim_that_was_taken_over_changes_nothing_any_more",
    ),
    Control(
        name="the lock order of reserving",
        file="inventory/operations/reservations.py",
        old="location.active\n        ORDER BY stock.id",
        new="location.active\n        ORDER BY -stock.id",
        tests="tests/inventory/test_lock_order.py::test_reserving_locks_stock_by_id",
        postgresql=True,
    ),
    Control(
        name="the lock order of releasing",
        file="inventory/operations/reservations.py",
        old='"bigint")}\n        ORDER BY stock.id',
        new='"bigint")}\n        ORDER BY -stock.id',
        tests="tests/inventory/test_lock_order.py::test_releasing_locks_stock_by_id",
        postgresql=True,
    ),
    Control(
        name="the time-outs on stopped workers",
        file="project/bus/sessions.py",
        old="SET idle_in_transaction_session_timeout = '5s'",
        new="SET idle_in_transaction_session_timeout = 0",
        tests="tests/faults/test_stopped.py",
        postgresql=True,
    ),
    Control(
        name="the time-out on locks",
        file="project/bus/sessions.py",
        old="SET lock_timeout = '10s'",
        new="SET lock_timeout = 0",
        tests="tests/bus/test_sessions.py::test_who_waits_for_a_lock_gives_up_within_ten_seconds",
        postgresql=True,
    ),
    Control(
        name="the time-out on statements",
        file="project/bus/sessions.py",
        old="SET statement_timeout = '30s'",
        new="SET statement_timeout = 0",
        tests="tests/bus/test_sessions.py::test_a_statement_ends_within_thirty_seconds",
        postgresql=True,
    ),
    Control(
        name="the guard",
        file="project/bus/transports.py",
        old="    Channel = RedisChannel",
        new="    Channel = redis.Channel",
        tests="tests/faults/test_guard.py::test_hostile_messages_on_redis_are_refused_and_counted_and_neighbours_flow",
    ),
    Control(
        name="the guard on RabbitMQ",
        file="project/bus/transports.py",
        old="    Channel = AmqpChannel",
        new="    Channel = pyamqp.Channel",
        tests="tests/faults/test_guard.py::test_hostile_messages_on_rabbitmq_are_refused_and_counted_and_neighbours_flow",
        needs="RABBITMQ_URL",
    ),
    Control(
        name="the refusal to publish outside a transaction",
        file="project/bus/outbox.py",
        old="if not connection.in_atomic_block:",
        new="if connection.in_atomic_block is None:",
        tests="tests/bus/test_outbox.py::test_publishing_outside_a_transaction_is_refused_and_writes_nothing",
    ),
]


def main() -> int:
    """Try every control; 1 when one is missed by the tests."""
    controls = [control for control in CONTROLS if not control.needs or os.environ.get(control.needs)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        noticed = list(pool.map(try_out, controls))
    for control, test in zip(controls, noticed, strict=True):
        print(f"without {control.name}: {test or 'NO TEST WENT RED'}")  # noqa: T201
    return 0 if all(noticed) else 1


def try_out(control: Control) -> str:
    """Run a control's tests without its safeguard; the first that goes red, or nothing."""
    with tempfile.TemporaryDirectory(prefix="orderly-control-") as directory:
        copy = Path(directory)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, copy / part)
        take_out(copy / control.file, control)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-x", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist"),
                *("--timeout", "60", control.tests),
            ],
            cwd=copy,
            env=environment(control, copy),
            capture_output=True,
            text=True,
            check=False,
        )
    red = re.search(r"^FAILED (\S+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1 and red is None):
        raise SystemExit(f"the tests of {control.name!r} could not run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return red[1] if red else ""


def take_out(file: Path, control: Control) -> None:
    """Remove the safeguard from a copy; the text must be there just as often as the control says."""
    text = file.read_text()
    if text.count(control.old) != control.times:
        raise SystemExit(f"{control.file} has {control.old!r} {text.count(control.old)} times: mend tests/controls.py")
    file.write_text(text.replace(control.old, control.new))


def environment(control: Control, copy: Path) -> dict[str, str]:
    """A database of the control's own."""
    url = f"sqlite:///{copy / 'data' / 'orderly.sqlite3'}"
    if control.postgresql:
        base, _, options = os.environ["DATABASE_URL"].partition("?")
        name = f"control{CONTROLS.index(control)}"
        url = f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return {**clean, "DATABASE_URL": url, "DATA_DIR": str(copy / "data")}


if __name__ == "__main__":
    sys.exit(main())
