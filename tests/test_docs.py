"""The documentation is true: what it names exists, and its lists are complete."""

import os
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from project import bus, events
from project.api.problems import unknown_route
from project.bus import Event
from project.bus.management.subcommands import SUBCOMMANDS
from project.bus.registry import subscribe
from project.bus.worker import consumer
from project.celery import EXTERNAL, SERVICES
from project.console import reference
from tests.bus.events import Pinged
from tests.environment_variables import environment_variables
from tests.faults.kinds import KINDS

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
README = (ROOT / "README.md").read_text()
BUS = (ROOT / "docs" / "bus.md").read_text()
FAULTS = (ROOT / "docs" / "faults.md").read_text()
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def table(text: str, *, heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without backticks."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].replace("`", "")
    _names, _dashes, *rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them from the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_the_target_of_each_relative_link_exists(page):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_each_file_that_is_named_exists(page):
    for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", page.read_text()):
        # The glossary names the modules of the bus from its folder on.
        assert (ROOT / name).exists() or (ROOT / "project" / "bus" / name).exists(), name


def test_the_readme_has_exactly_the_targets_of_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)(?:`|  )", README, re.MULTILINE)) == targets - {"help"}


def test_the_checks_before_a_commit_are_those_of_make_lint():
    recipe = re.search(r"^lint:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    hooks = re.findall(r"^ +entry: (\.venv/.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    assert recipe
    assert hooks == [command.strip() for command in recipe[1].splitlines()]


@each_page
def test_the_commands_and_subcommands_in_a_page_exist(page):
    text = page.read_text()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= get_commands().keys()
    assert set(re.findall(r"manage\.py\s+bus\s+([a-z][a-z-]*)", text)) <= SUBCOMMANDS.keys()


def test_the_readme_lists_all_commands_and_subcommands():
    commands = {name for name, app in get_commands().items() if app.partition(".")[0] in ("project", *SERVICES)}
    listed = [command.split()[1:] for command, _ in table(README, heading="Commands")]
    assert {words[0] for words in listed} == commands
    assert {words[1] for words in listed if words[0] == "bus"} == SUBCOMMANDS.keys()


def test_the_readme_lists_exactly_the_environment_variables_of_the_settings():
    assert sorted(name for name, *_ in table(README, heading="Environment")) == sorted(environment_variables())


@each_page
def test_the_queues_of_workers_in_a_page_exist(page):
    for queues in re.findall(r" worker -Q ([a-z,]+)", page.read_text()):
        assert set(queues.split(",")) <= {*SERVICES, EXTERNAL}


def test_each_address_in_the_readme_is_a_route():
    addresses = set(re.findall(r"\$API(/\S+)", README))
    assert addresses
    for address in addresses:
        assert resolve(f"/api/v1{address}".replace("ORDER_ID", str(uuid4()))).func is not unknown_route, address


def test_python_code_in_the_readme_is_in_the_file_that_it_names():
    quotes = re.findall(r"^```python\n# (\S+)\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(quotes) == README.count("```python") > 0
    for path, code in quotes:
        assert code in (ROOT / path).read_text(), path


def test_each_decision_is_in_the_index_and_has_a_date_and_all_sections():
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert re.findall(r"\((\d{4}-[^)]+)\)", index) == [page.name for page in DECISIONS]
    for page in DECISIONS:
        title, date, *sections = re.findall(r"^(?:# .+|Date: .+|## .+)$", page.read_text(), re.MULTILINE)
        number, name = title.removeprefix("# ").split(". ", 1)
        assert f"| {number} | [{name}]({page.name}) |" in index
        assert page.name.startswith(f"{int(number):04}-")
        assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", date)
        assert sections == ["## Status", "## Context", "## Decision", "## Consequences"]


def test_the_batch_size_in_the_pages_is_that_of_the_code():
    pages = [(ROOT / "docs" / name).read_text() for name in ("bus.md", "deployment.md", "extending.md")]
    for text in (README, *pages, subscribe.__doc__ or ""):
        sizes = re.findall(r"up to (\d+) (?:orders|deliveries|events)|batches of up to (\d+)", text)
        assert sizes
        assert {int(orders or batches) for orders, batches in sizes} - {consumer.SINGLES_PER_TRANSACTION} == {
            consumer.BATCH_SIZE
        }


def test_the_figures_in_the_readme_are_the_measured_ones():
    bulk, one = re.findall(r"(\d+) times (?:the orders|when)", README)
    for workload, figure in (("bulk", bulk), ("one", one)):
        (measured,) = re.findall(rf"^\| `{workload}` \|.*?\| (\d+\.\d) \(", PERFORMANCE, re.MULTILINE)
        assert round(float(measured)) == int(figure)
    run = re.search(r"run\s+of (\d+) faults.* ([\d,]+) orders\s+were\s+attempted", README, re.DOTALL)
    assert run
    faults, orders = run.groups()
    assert f"All {faults} faults" in FAULTS
    assert re.search(rf"│ attempted +│ {orders.replace(',', '')} ", FAULTS)


def constants(module: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each number, and each dict of numbers, that a module assigns in capitals."""
    source = import_module(module)
    assert source.__file__
    text = Path(source.__file__).read_text()
    for name, value in vars(source).items():
        if re.search(rf"^{name} ?[=:]", text, re.MULTILINE) and name.isupper() and not name.startswith("_"):
            numbers = value if isinstance(value, dict) else {"": value}
            if numbers and all(re.match(r"\d+(\.\d+)?s?$", str(number)) for number in numbers.values()):
                yield (
                    f"{module.rpartition('.')[2]}.{name}",
                    ", ".join(f"{key} {number}".strip() for key, number in numbers.items()),
                )


def test_the_table_of_numbers_has_all_constants_of_the_bus():
    # Commands and the plugin for tests format output and stop tests; nothing else depends on their numbers.
    excluded = ("project.bus.management", "project.bus.pytest_plugin", "project.bus.migrations")
    modules = [module.name for module in walk_packages(bus.__path__, "project.bus.")]
    numbers = [pair for module in modules if not module.startswith(excluded) for pair in constants(module)]
    assert len(numbers) == len(dict(numbers)), "two constants have one name"
    assert {constant: value for constant, value, _ in table(BUS, heading="Numbers")} == dict(numbers)


def test_the_table_of_faults_has_all_kinds_of_the_runner():
    kinds: dict[str, list[str]] = {}
    for kind in KINDS.values():
        kinds.setdefault(kind.area, []).append(kind.name)
    listed = {area: names.split("; ") for area, names in table(FAULTS, heading="The kinds")}
    assert {area: sorted(names) for area, names in listed.items()} == {area: sorted(n) for area, n in kinds.items()}


def test_the_newest_version_in_the_changelog_is_the_version_of_the_project():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    newest = re.search(r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version
    assert newest
    assert newest[1] == version[1]


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_made_from_the_code_is_current(name):
    assert (ROOT / name).read_text() == reference.PAGES[name](), f"{name} is stale: run make docs"


def test_make_docs_writes_the_pages_that_are_made_from_the_code(tmp_path, settings):
    (tmp_path / "docs").mkdir()
    (tmp_path / "project").symlink_to(ROOT / "project")
    settings.BASE_DIR = tmp_path
    runpy.run_path(reference.__file__, run_name="__main__")
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in (tmp_path / "docs").iterdir()}
    assert written == {name: (ROOT / name).read_text() for name in reference.PAGES}


def test_an_event_that_nobody_handles_says_so():
    assert reference.event_section(Pinged).endswith("\nNo handler.\n")


def test_the_page_of_settings_has_exactly_the_variables_of_the_settings():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == sorted(environment_variables())


def test_a_variable_without_a_comment_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="read COLOUR, which has no comment"):
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
        ('# Made.\nA = env.int("A", default=min(2, 3))', ("A", "whole number", "`min(2, 3)`", "Made.")),
        ('# F.\nA = env.str("A", default=f"s:///{D / \'f\'}")', ("A", "text", "`s:///D/f`", "F.")),
        (
            '# Other.\n\n# Mine.\nX = {\n    # Within.\n    "a": env.str("A", default="b")}',
            ("A", "text", "`b`", "Within."),
        ),
    ],
)
def test_a_variable_is_listed_with_kind_default_and_comment(source, row):
    assert list(reference.variables(source)) == [row]


def test_each_event_has_a_section_with_all_its_fields():
    page = (ROOT / "docs" / "events.md").read_text()
    for name, cls in vars(events).items():
        if isinstance(cls, type) and issubclass(cls, Event) and cls is not Event:
            section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
            assert section.startswith(f"\n{cls.__doc__}\n")
            assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(cls.data_fields)


@pytest.mark.timeout(300)
def test_the_code_of_the_page_on_extending_works_in_a_copy_of_the_project(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "benchmarks"))
    page = (ROOT / "docs" / "extending.md").read_text()
    steps = re.findall(r"^```python\n# (\S+)\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(steps) == page.count("```python") > 4
    for path, code in steps:
        with (copy / path).open("a") as file:
            file.write(f"\n\n{code}")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_", "PYTHONPATH"))
    }
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
