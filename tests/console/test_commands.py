"""Every command of ours teaches, and takes wrong arguments with one clear line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from project.celery import SERVICES

ROOT = Path(settings.BASE_DIR)
OURS = {name: app for name, app in get_commands().items() if app.split(".")[0] in ("project", *SERVICES)}
UNKNOWN = "0198c0de-0000-7000-8000-000000000000"

each_command = pytest.mark.parametrize("name", sorted(OURS))


@pytest.fixture
def manage(capsys):
    """Type a command; gives the exit code and what was printed to stdout and to stderr."""

    def manage(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            load_command_class(OURS[words[0]], words[0]).run_from_argv(["manage.py", *words])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return manage


@each_command
def test_help_says_what_it_is_for_and_shows_an_example_and_the_exit_codes(manage, name):
    code, out, _ = manage(name, "--help")
    assert code == 0
    usage, purpose = out.split("\n\n")[:2]
    assert usage.startswith(f"usage: manage.py {name} ")
    assert re.match(r"[A-Z].+", purpose)
    assert re.search(r"^examples?\b.*:$", out, re.MULTILINE)
    assert re.search(r"^exit codes:\n  0 .+\n(  .+\n)*  2 .+", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 120


@each_command
def test_the_examples_in_its_help_are_accepted_by_it(name):
    command = load_command_class(OURS[name], name)
    examples = re.findall(r"^  (?:[A-Z_]+=\S+ )*manage\.py (.+)$", command.help, re.MULTILINE)
    typed = [re.split(r"\s{2,}| \|| &", example)[0].split() for example in examples]
    assert name in [words[0] for words in typed]
    for other, *arguments in typed:
        load_command_class(OURS[other], other).create_parser("manage.py", other).parse_args(arguments)


#: What the commands cannot do without.
REQUIRED = {
    "trace": [UNKNOWN],
    "import_stock": ["delivery.csv"],
    "pause": ["orders.confirm_orders"],
    "resume": ["orders.confirm_orders"],
    "retire_handler": ["orders.confirm_orders"],
    "dead_letters": ["list"],
}


@each_command
def test_an_option_that_there_is_not_is_refused_with_the_usage(manage, name):
    required = REQUIRED.get(name, [])
    code, out, err = manage(name, *required, "--nonsense")
    assert (code, out) == (2, "")
    assert err.startswith(f"usage: manage.py {name} ")
    assert err.endswith("error: unrecognized arguments: --nonsense\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["trace"], 2, "the following arguments are required: ORDER_OR_EVENT_ID"),
        (["trace", "the-first-one"], 2, "'the-first-one' is no id: give an order's or an event's, such as"),
        (["trace", UNKNOWN, UNKNOWN], 2, f"unrecognized arguments: {UNKNOWN}"),
        (["import_stock"], 2, "the following arguments are required: FILE.csv"),
        (["import_stock", "missing.csv"], 2, "missing.csv: No such file or directory"),
        (["import_stock", "--partial=yes", "missing.csv"], 2, "ignored explicit argument 'yes'"),
        (["bus_status", "--json=yes"], 2, "ignored explicit argument 'yes'"),
        (["verify_stock", "MUG"], 2, "unrecognized arguments: MUG"),
        (["relay", "inventory"], 2, "unrecognized arguments: inventory"),
        (["up", "8001"], 2, "unrecognized arguments: 8001"),
        (["demo", "--users", "5"], 2, "unrecognized arguments: --users 5"),
        (["demo_data", "--reset"], 2, "unrecognized arguments: --reset"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_by_name(manage, words, code, said):
    ended, out, err = manage(*words)
    assert (ended, out) == (code, "")
    assert said in err.splitlines()[-1]


@pytest.mark.django_db
def test_trace_says_where_to_find_ids_when_nothing_is_known_of_one(manage):
    code, _, err = manage("trace", UNKNOWN)
    assert code == 1
    (line,) = err.splitlines()
    assert f"has the id {UNKNOWN}. GET /api/v1/orders/ lists orders" in line


def on(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, on a database that is not the tests'."""
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


@pytest.mark.parametrize("words", ["bus_status", f"trace {UNKNOWN}", "verify_stock", "demo_data", "import_stock FILE"])
def test_a_database_that_does_not_answer_is_told_in_one_line_without_its_password(words, delivery):
    ended = on("postgres://somebody:hidden@127.0.0.1:1/orderly", *words.replace("FILE", str(delivery)).split())
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "The database fails: " in line
    assert "correct DATABASE_URL" in line
    assert "hidden" not in line


def test_missing_migrations_are_told_in_one_line(tmp_path):
    ended = on(f"sqlite:///{tmp_path / 'empty.sqlite3'}", "verify_stock")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "no such table" in line
    assert line.endswith("manage.py migrate.")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "PORT is 'http': invalid literal for int()"),
        ("DATABASE_URL", "mysql://root@127.0.0.1/orderly", "DATABASE_URL must begin with postgres://"),
        ("DATABASE_URL", "orderly", "DATABASE_URL must begin with postgres://"),
        ("BROKER_URL", "http://127.0.0.1", "BROKER_URL must begin with redis://"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_one_line(name, value, said):
    ended = subprocess.run(
        [sys.executable, "manage.py", "bus_status"],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(said)
