"""Each command has a useful help text, and answers wrong arguments with one clear line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from project.bus.management.subcommands import SUBCOMMANDS
from project.celery import SERVICES

ROOT = Path(settings.BASE_DIR)
OURS = {name: app for name, app in get_commands().items() if app.split(".")[0] in ("project", *SERVICES)}
UNKNOWN = "0198c0de-0000-7000-8000-000000000000"

each_command = pytest.mark.parametrize("name", sorted([*OURS, *(f"bus {name}" for name in SUBCOMMANDS)]))


@pytest.fixture
def manage(capsys):
    """Yield a function that runs a command and returns its exit code, stdout and stderr."""

    def manage(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            load_command_class(OURS[words[0]], words[0]).run_from_argv(["manage.py", *words])
        printed = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, printed.out, printed.err

    return manage


@each_command
def test_the_help_of_a_command_has_its_purpose_an_example_and_the_exit_codes(manage, name):
    code, out, _ = manage(*name.split(), "--help")
    assert code == 0
    usage, purpose = out.split("\n\n")[:2]
    assert usage.startswith(f"usage: manage.py {name} ")
    assert re.match(r"[A-Z].+", purpose)
    assert re.search(r"^examples?\b.*:$", out, re.MULTILINE)
    assert re.search(r"^exit codes:\n  0 .+\n(  .+\n)*  2 .+", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 120


@each_command
def test_a_command_accepts_the_examples_in_its_help(name):
    command, *subcommand = name.split()
    shown = SUBCOMMANDS[subcommand[0]] if subcommand else load_command_class(OURS[command], command)
    examples = re.findall(r"^  (?:[A-Z_]+=\S+ )*manage\.py (.+)$", shown.help, re.MULTILINE)
    examples_as_words = [re.split(r"\s{2,}| \|| &", example)[0].split() for example in examples]
    assert any([command, *subcommand] == words[: 1 + len(subcommand)] for words in examples_as_words)
    for other, *arguments in examples_as_words:
        load_command_class(OURS[other], other).create_parser("manage.py", other).parse_args(arguments)


#: The arguments that the commands require.
REQUIRED = {
    "trace": [UNKNOWN],
    "import_stock": ["delivery.csv"],
    "bus": ["status"],
    "bus pause": ["orders.confirm_orders"],
    "bus resume": ["orders.confirm_orders"],
    "bus retire": ["orders.confirm_orders"],
    "bus dead-letters": ["list"],
    "unlock_account": ["ada@example.org"],
}


@each_command
def test_an_unknown_option_is_an_error_with_the_usage(manage, name):
    required = REQUIRED.get(name, [])
    code, out, err = manage(*name.split(), *required, "--nonsense")
    assert (code, out) == (2, "")
    assert err.startswith(f"usage: manage.py {name} ")
    assert err.endswith("error: unrecognized arguments: --nonsense\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["trace"], 2, "the following arguments are required: ORDER_OR_EVENT_ID"),
        (["trace", "the-first-one"], 2, "'the-first-one' is not an id: give one of an order or an event, such as"),
        (["trace", UNKNOWN, UNKNOWN], 2, f"unrecognized arguments: {UNKNOWN}"),
        (["import_stock"], 2, "the following arguments are required: FILE.csv"),
        (["import_stock", "missing.csv"], 2, "missing.csv: No such file or directory"),
        (["import_stock", "--partial=yes", "missing.csv"], 2, "ignored explicit argument 'yes'"),
        (["bus"], 2, f"name a subcommand: {', '.join(SUBCOMMANDS)}"),
        (["bus", "--verbosity", "0"], 2, "the following arguments are required: subcommand"),
        (["bus", "stauts"], 2, "invalid choice: 'stauts' (choose from "),
        (["bus", "status", "--json=yes"], 2, "ignored explicit argument 'yes'"),
        (["verify_stock", "MUG"], 2, "unrecognized arguments: MUG"),
        (["bus", "relay", "inventory"], 2, "unrecognized arguments: inventory"),
        (["up", "8001"], 2, "unrecognized arguments: 8001"),
        (["demo", "--users", "5"], 2, "unrecognized arguments: --users 5"),
        (["demo_data", "--reset"], 2, "unrecognized arguments: --reset"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_last_line_of_the_error_names_the_wrong_argument(manage, words, code, message):
    returned, out, err = manage(*words)
    assert (returned, out) == (code, "")
    assert message in err.splitlines()[-1]


@pytest.mark.django_db
def test_trace_of_an_unknown_id_says_where_to_find_ids(manage):
    code, _, err = manage("trace", UNKNOWN)
    assert code == 1
    (line,) = err.splitlines()
    assert f"has the id {UNKNOWN}. GET /api/v1/orders/ lists orders" in line


def run_on(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process, on a database other than that of the tests."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def delivery(tmp_path):
    path = tmp_path / "delivery.csv"
    path.write_text("sku,location,quantity\nMUG,BER,5\n")
    return path


@pytest.mark.parametrize(
    "words", ["bus status", "bus replay --all", f"trace {UNKNOWN}", "verify_stock", "demo_data", "import_stock FILE"]
)
def test_the_error_of_a_database_that_does_not_answer_is_one_line_without_its_password(words, delivery):
    done = run_on("postgres://somebody:hidden@127.0.0.1:1/orderly", *words.replace("FILE", str(delivery)).split())
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "The database fails: " in line
    assert "correct DATABASE_URL" in line
    assert "hidden" not in line


def test_the_error_of_missing_migrations_is_one_line(tmp_path):
    done = run_on(f"sqlite:///{tmp_path / 'empty.sqlite3'}", "verify_stock")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no such table" in line
    assert line.endswith("manage.py migrate.")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "http", "PORT must be a whole number of at most nine digits."),
        ("DATABASE_URL", "mysql://root@127.0.0.1/orderly", "DATABASE_URL must begin with postgres://"),
        ("DATABASE_URL", "orderly", "DATABASE_URL must begin with postgres://"),
        ("BROKER_URL", "http://127.0.0.1", "BROKER_URL must begin with redis://"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR."),
        ("LOG_LEVEL", "\x1b[31mINFO", "LOG_LEVEL must be one line of UTF-8 without control characters."),
    ],
)
def test_the_error_of_an_invalid_setting_is_one_line_that_names_it(name, value, message):
    done = subprocess.run(
        [sys.executable, "manage.py", "bus", "status"],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(message)
