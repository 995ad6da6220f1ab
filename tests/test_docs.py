"""The documentation is true: what it names is there, and what it lists is complete."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from configparser import ConfigParser
from contextlib import closing
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from celery.bin.worker import worker as celery_worker
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from project import events
from project.api.problems import unknown_route
from project.bus import consumer
from project.bus.events import Event
from project.celery import EXTERNAL, SERVICES
from project.console import reference
from tests.faults.kinds import KINDS

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
BUS = (ROOT / "docs" / "bus.md").read_text()
FAULTS = (ROOT / "docs" / "faults.md").read_text()
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def table(text: str, *, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without backticks."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].replace("`", "")
    _names, _dashes, *rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows


def anchors(page: Path) -> set[str]:
    """What a link may name after the #, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_relative_link_leads_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_names_every_make_target_and_no_other():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)(?:`|  )", README, re.MULTILINE)) == targets - {"help"}


@each_page
def test_every_management_command_that_is_named_exists(page):
    assert set(re.findall(r"manage\.py ([a-z_]+)", page.read_text())) <= get_commands().keys()


def test_the_readme_lists_every_command_of_ours():
    ours = {name for name, app in get_commands().items() if app.partition(".")[0] in ("project", *SERVICES)}
    assert {command.split()[1] for command, _ in table(README, heading="Commands")} == ours


def test_the_readme_lists_exactly_the_environment_variables_that_the_settings_read():
    read = re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "project" / "settings.py").read_text())
    assert sorted(name for name, *_ in table(README, heading="Environment")) == sorted(read)


@each_page
def test_workers_are_started_on_queues_that_there_are(page):
    for queues in re.findall(r" worker -Q ([a-z,]+)", page.read_text()):
        assert set(queues.split(",")) <= {*SERVICES, EXTERNAL}


def test_every_address_in_the_readme_is_a_route():
    addresses = set(re.findall(r"\$API(/\S+)", README))
    assert addresses
    for address in addresses:
        assert resolve(f"/api/v1{address}".replace("ORDER_ID", str(uuid4()))).func is not unknown_route, address


def test_code_in_the_readme_is_the_code_in_the_file_that_it_names():
    quotes = re.findall(r"^```python\n# (\S+)\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(quotes) == README.count("```python") > 0
    for path, code in quotes:
        assert code in (ROOT / path).read_text(), path


def test_every_decision_is_in_the_index_and_has_a_date_and_all_its_parts():
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert re.findall(r"\((\d{4}-[^)]+)\)", index) == [page.name for page in DECISIONS]
    for page in DECISIONS:
        title, date, *parts = re.findall(r"^(?:# .+|Date: .+|## .+)$", page.read_text(), re.MULTILINE)
        number, name = title.removeprefix("# ").split(". ", 1)
        assert f"| {number} | [{name}]({page.name}) |" in index
        assert page.name.startswith(f"{int(number):04}-")
        assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", date)
        assert parts == ["## Status", "## Context", "## Decision", "## Consequences"]


def test_the_size_of_a_batch_is_told_as_it_is():
    pages = [(ROOT / "docs" / name).read_text() for name in ("bus.md", "deployment.md", "extending.md")]
    for text in (README, *pages, consumer.subscribe.__doc__ or ""):
        told = re.findall(r"up to (\d+) (?:orders|deliveries|events)|batches of up to (\d+)", text)
        assert told
        assert {int(orders or batches) for orders, batches in told} - {consumer.SINGLES} == {consumer.BATCH}


def test_the_figures_of_the_readme_are_those_that_were_measured():
    bulk, one = re.findall(r"(\d+) times (?:the orders|when)", README)
    for workload, told in (("bulk", bulk), ("one", one)):
        (measured,) = re.findall(rf"^\| `{workload}` \|.*?\| (\d+\.\d) \(", PERFORMANCE, re.MULTILINE)
        assert round(float(measured)) == int(told)
    faults, orders = re.search(
        r"run\s+of (\d+) faults.* ([\d,]+) orders\s+were\s+attempted", README, re.DOTALL
    ).groups()
    assert f"All {faults} faults" in FAULTS
    assert re.search(rf"│ attempted +│ {orders.replace(',', '')} ", FAULTS)


def test_the_table_of_numbers_is_that_of_the_code():
    numbers = {}
    for module in ("consumer", "sessions", "claims", "endings", "failures", "breaker", "relay", "queues", "marks"):
        source = import_module(f"project.bus.{module}")
        for name, value in vars(source).items():
            if not re.search(rf"^{name} ?[=:]", Path(source.__file__).read_text(), re.MULTILINE):
                continue  # it is another module's
            if name.isupper() and not name.startswith("_") and isinstance(value, (int, float, dict)):
                each = value.items() if isinstance(value, dict) else [("", value)]
                numbers[f"{module}.{name}"] = ", ".join(f"{key} {number}".strip() for key, number in each)
    assert {constant: value for constant, value, _ in table(BUS, heading="Numbers")} == numbers


def test_the_table_of_faults_is_that_of_the_runner():
    kinds = {}
    for kind in KINDS.values():
        kinds.setdefault(kind.area, []).append(kind.name)
    said = {area: names.split("; ") for area, names in table(FAULTS, heading="The kinds")}
    assert {area: sorted(names) for area, names in said.items()} == {area: sorted(n) for area, n in kinds.items()}


def test_the_newest_version_in_the_changelog_is_that_of_the_project():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    newest = re.search(r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version
    assert newest
    assert newest[1] == version[1]


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_that_is_made_from_the_code_is_current(name):
    assert (ROOT / name).read_text() == reference.PAGES[name](), f"{name} is stale: type make docs"


def test_the_page_of_settings_has_every_variable_that_the_settings_read():
    read = re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "project" / "settings.py").read_text())
    page = (ROOT / "docs" / "settings.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == sorted(read)


def test_a_variable_without_a_comment_is_refused_by_name():
    with pytest.raises(ValueError, match="reads COLOUR and has no comment"):
        list(reference.variables('env = Env()\nCOLOUR = env.str("COLOUR", default="red")\n'))


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ('# On.\nA = env.bool("A", default=True)', ("A", "on or off", "`on`", "On.")),
        ('# Two\n# lines.\nA: int = env.int("A", default=5)', ("A", "whole number", "`5`", "Two lines.")),
        ('# Of.\nA = env.list("A", default=["x", "y"])', ("A", "list, separated by commas", "`x,y`", "Of.")),
        ('# No.\nA = env.str("A", default="")', ("A", "text", "none", "No.")),
        ('B = "b"\n# Named.\nA = env.str("A", default=B)', ("A", "text", "`b`", "Named.")),
        ('# In.\nA = Path(env.str("A", default=str(BASE_DIR / "d"))).resolve()', ("A", "text", "`./d`", "In.")),
        ('# F.\nA = env.str("A", default=f"s:///{D / \'f\'}")', ("A", "text", "`s:///D/f`", "F.")),
        (
            '# Other.\n\n# Mine.\nX = {\n    # Within.\n    "a": env.str("A", default="b")}',
            ("A", "text", "`b`", "Within."),
        ),
    ],
)
def test_a_variable_is_told_as_a_person_types_it(source, row):
    assert list(reference.variables(source)) == [row]


def test_every_event_has_a_section_with_all_its_fields_and_handlers():
    page = (ROOT / "docs" / "events.md").read_text()
    for name, cls in vars(events).items():
        if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event:
            section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            assert section.startswith(f"\n{cls.__doc__}\n")
            assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(cls.data_fields)


UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def unit(path: Path) -> ConfigParser:
    """A systemd unit, whose % are systemd's own."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_there_is_with_options_that_it_takes(path):
    program, *words = unit(path)["Service"]["ExecStart"].split()
    place, _, name = program.partition("/.venv/bin/")
    assert place == unit(path)["Service"]["WorkingDirectory"]
    assert (Path(sys.executable).parent / name).exists()
    if name == "python":
        assert words[0] == "manage.py"
        command = load_command_class(get_commands()[words[1]], words[1])
        command.create_parser("manage.py", words[1]).parse_args(words[2:])
    elif name == "gunicorn":
        checked = subprocess.run(
            [sys.executable, "-m", "gunicorn", "--check-config", *words],
            cwd=ROOT,
            env=os.environ | {"DEBUG": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
    else:
        assert name == "celery"
        assert words[:5] == ["-A", "project", "worker", "-Q", "%i"]
        options = {option for parameter in celery_worker.params for option in parameter.opts}
        assert {word for word in words[3:] if word.startswith("-")} <= options


def test_the_documented_units_are_those_that_there_are():
    page = (ROOT / "docs" / "deployment.md").read_text()
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    enabled = set(re.findall(r"orderly-[a-z-]+@?", page.replace(".timer", "")))
    assert enabled == units
    assert set(re.findall(r"orderly-worker@([a-z]+)", page)) == {*SERVICES, EXTERNAL}


def test_the_example_environment_sets_only_what_the_settings_read_and_all_that_has_no_safe_default():
    text = (ROOT / "deploy" / "orderly.env").read_text()
    names = re.findall(r'^([A-Z_]+)="[^"]*"$', text, re.MULTILINE)
    assert len(names) == len([line for line in text.splitlines() if line and not line.startswith("#")])
    read = re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "project" / "settings.py").read_text())
    assert set(names) <= set(read)
    assert {"SECRET_KEY", "DATABASE_URL", "BROKER_URL", "ALLOWED_HOSTS", "EMAIL_URL"} <= set(names)


@pytest.mark.timeout(300)
def test_the_steps_of_the_page_on_extending_work_in_a_copy_of_the_project(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "benchmarks"))
    page = (ROOT / "docs" / "extending.md").read_text()
    steps = re.findall(r"^```python\n# (\S+)\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(steps) == page.count("```python") > 4
    for path, code in steps:
        with (copy / path).open("a") as file:
            file.write(f"\n\n{code}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'orderly.sqlite3'}"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("manage.py", "migrate", "--verbosity", "0")
    with closing(sqlite3.connect(tmp_path / "orderly.sqlite3")) as database:
        rows = database.execute("SELECT handler, queue FROM bus_subscription WHERE event_type LIKE '%recalled'")
        assert rows.fetchall() == [("orders.cancel_recalled", "orders")]
    run("-m", "project.console.reference")
    assert "| `orders.cancel_recalled` |" in (copy / "docs" / "events.md").read_text()
    (tested,) = (path for path, _ in steps if path.startswith("tests/"))
    assert "1 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", tested)
