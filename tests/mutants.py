"""python -m tests.mutants: disable each safeguard, one at a time, and check that a test fails.

A safeguard whose removal breaks no test is not tested. Each mutant is a copy of the project without one safeguard; its
tests run in a process of their own, and the test that fails first is printed. `make mutants` runs all of them, or only
those whose names contain the words given (ARGS="guard").
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutant import Mutant
from tests.mutants_admin import ADMIN_MUTANTS
from tests.mutants_budget import BUDGET_MUTANTS
from tests.mutants_logins import LOGINS_MUTANTS
from tests.mutants_mails import MAILS_MUTANTS
from tests.mutants_mend_ops import MEND_OPS_MUTANTS
from tests.mutants_ops import OPS_MUTANTS
from tests.mutants_rights import RIGHTS_MUTANTS
from tests.mutants_settings import SETTINGS_MUTANTS
from tests.mutants_users import USERS_MUTANTS

ROOT = Path(__file__).parent.parent
PARTS = ("project", "users", "orders", "inventory", "tests", "benchmarks", "manage.py", "pyproject.toml")
#: How many mutants are tested at the same time.
WORKERS = 2

BUS_AND_STOCK = [
    Mutant(
        name="the receipts",
        file="project/bus/worker/consumer.py",
        old="mine = ack(claims=[claim for claim, _ in readable])",
        new="mine = {claim.delivery_id for claim, _ in readable}",
        tests="tests/bus/test_consumer.py::test_a_handled_delivery_becomes_a_receipt_with_the_same_id",
        postgresql=True,
    ),
    Mutant(
        name="the attempt count",
        file="project/bus/backends/postgresql.py",
        old="SET attempts = 1, due_at",
        new="SET attempts = 0, due_at",
        tests="tests/bus/test_claims.py::test_a_delivery_whose_worker_vanishes_at_each_attempt_becomes_a_dead_letter",
        postgresql=True,
    ),
    Mutant(
        name="the dead letter that a claim makes",
        file="project/bus/worker/claims.py",
        old="if due.attempts >= handler.attempts:",
        new="if due.attempts < 0:",
        tests="tests/bus/test_claims.py::test_a_delivery_whose_worker_vanishes_at_each_attempt_becomes_a_dead_letter",
        postgresql=True,
    ),
    Mutant(
        name="retrying alone after a failed batch",
        file="project/bus/worker/settlement.py",
        old="_update_ours(claims, due_at=Now())",
        new="_update_ours(claims, due_at=Now(), attempts=0)",
        tests="tests/bus/test_settlement.py::test_the_other_events_of_a_failed_batch_are_retried_at_once",
    ),
    Mutant(
        name="the fence on recorded failures",
        file="project/bus/worker/settlement.py",
        old="still_ours = Delivery.objects.filter(pk=claim.delivery_id, attempts=claim.attempts, dead_at=None)",
        new="still_ours = Delivery.objects.filter(pk=claim.delivery_id)",
        tests="tests/bus/test_settlement.py::test_a_stale_claim_changes_nothing",
    ),
    Mutant(
        name="the lock order of reserving",
        file="inventory/operations/reservations.py",
        old="location.active\n        ORDER BY stock.id",
        new="location.active\n        ORDER BY -stock.id",
        tests="tests/inventory/test_lock_order.py::test_reserving_locks_stock_by_id",
        postgresql=True,
    ),
    Mutant(
        name="the lock order of releasing",
        file="inventory/operations/reservations.py",
        old='"bigint")}\n        ORDER BY stock.id',
        new='"bigint")}\n        ORDER BY -stock.id',
        tests="tests/inventory/test_lock_order.py::test_releasing_locks_stock_by_id",
        postgresql=True,
    ),
    Mutant(
        name="the timeouts of stopped workers",
        file="project/bus/backends/postgresql.py",
        old='"idle_in_transaction_session_timeout": "5s"',
        new='"idle_in_transaction_session_timeout": "0"',
        tests="tests/faults/test_stopped.py",
        postgresql=True,
    ),
    Mutant(
        name="the timeouts of new sessions",
        file="project/bus/worker/sessions.py",
        old="@receiver(connection_created)\n",
        new="",
        tests="tests/bus/test_sessions.py::test_a_transaction_may_idle_for_five_seconds_in_a_worker",
        postgresql=True,
    ),
    Mutant(
        name="the lock timeout",
        file="project/bus/backends/postgresql.py",
        old='"lock_timeout": "10s"',
        new='"lock_timeout": "0"',
        tests="tests/bus/test_sessions.py::test_a_wait_for_a_lock_ends_within_ten_seconds",
        postgresql=True,
    ),
    Mutant(
        name="the statement timeout",
        file="project/bus/backends/postgresql.py",
        old='"statement_timeout": "30s"',
        new='"statement_timeout": "0"',
        tests="tests/bus/test_sessions.py::test_a_statement_ends_within_thirty_seconds",
        postgresql=True,
    ),
    Mutant(
        name="the guard",
        file="project/bus/guard/transports/redis.py",
        old="    Channel = RedisChannel",
        new="    Channel = redis.Channel",
        tests="tests/faults/test_guard.py::test_hostile_messages_on_redis_are_refused_and_counted_and_neighbours_flow",
    ),
    Mutant(
        name="the guard on RabbitMQ",
        file="project/bus/guard/transports/amqp.py",
        old="    Channel = AmqpChannel",
        new="    Channel = pyamqp.Channel",
        tests="tests/faults/test_guard.py::test_hostile_messages_on_rabbitmq_are_refused_and_counted_and_neighbours_flow",
        needs="RABBITMQ_URL",
    ),
    Mutant(
        name="the refusal to publish outside a transaction",
        file="project/bus/outbox.py",
        old="if not bus_connection().in_atomic_block:",
        new="if bus_connection().in_atomic_block is None:",
        tests="tests/bus/test_outbox.py::test_publishing_outside_a_transaction_is_refused_and_writes_nothing",
    ),
]
MUTANTS = [
    *BUS_AND_STOCK,
    *ADMIN_MUTANTS,
    *BUDGET_MUTANTS,
    *LOGINS_MUTANTS,
    *MAILS_MUTANTS,
    *MEND_OPS_MUTANTS,
    *OPS_MUTANTS,
    *RIGHTS_MUTANTS,
    *SETTINGS_MUTANTS,
    *USERS_MUTANTS,
]


def main(words: list[str]) -> int:
    """Run the mutants whose names contain one of the words, or all; 1 if one survives."""
    mutants = [mutant for mutant in MUTANTS if not mutant.needs or os.environ.get(mutant.needs)]
    if words:
        mutants = [mutant for mutant in mutants if any(word in mutant.name for word in words)]
    if not mutants:
        print(f"no mutant has a name with {' or '.join(words)}", file=sys.stderr)  # noqa: T201
        return 1
    survivors = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for mutant, test in zip(mutants, pool.map(failing_test, mutants), strict=True):
            print(f"without {mutant.name}: {test or 'NO TEST FAILED'}", flush=True)  # noqa: T201
            survivors += not test
    return 1 if survivors else 0


def failing_test(mutant: Mutant) -> str:
    """Run a mutant's tests; the name of the first that fails, or an empty string if the mutant survives."""
    with tempfile.TemporaryDirectory(prefix="orderly-mutant-") as directory:
        copy = Path(directory)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, copy / part)
        apply(mutant, file=copy / mutant.file)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-x", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist"),
                *("--timeout", "60", mutant.tests),
            ],
            cwd=copy,
            env=environment(mutant, copy=copy),
            capture_output=True,
            text=True,
            check=False,
        )
    failed = re.search(r"^FAILED (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1 and failed is None):
        raise SystemExit(f"the tests of {mutant.name!r} could not run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return failed[1] if failed else ""


def apply(mutant: Mutant, *, file: Path) -> None:
    """Change the copy of the file, which must contain `old` exactly `times` times."""
    text = file.read_text()
    if text.count(mutant.old) != mutant.times:
        found = text.count(mutant.old)
        raise SystemExit(f"{mutant.file} contains {mutant.old!r} {found} times, not {mutant.times}: fix MUTANTS")
    file.write_text(text.replace(mutant.old, mutant.new))


def environment(mutant: Mutant, *, copy: Path) -> dict[str, str]:
    """The environment of a mutant's tests, with a database that no other mutant uses."""
    url = f"sqlite:///{copy / 'data' / 'orderly.sqlite3'}"
    if mutant.postgresql:
        base, _, options = os.environ["DATABASE_URL"].partition("?")
        name = f"mutant{MUTANTS.index(mutant)}"
        url = f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return {**clean, "DATABASE_URL": url, "DATA_DIR": str(copy / "data")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
