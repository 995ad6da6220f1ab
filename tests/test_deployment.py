"""The systemd units and the example environment in deploy/ agree with the code and with docs/deployment.md."""

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from celery.bin.worker import worker as celery_worker
from django.conf import settings
from django.core.management import get_commands, load_command_class

from project.celery import EXTERNAL, SERVICES
from tests.environment_variables import environment_variables

ROOT = Path(settings.BASE_DIR)

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def unit(path: Path) -> ConfigParser:
    """Parse a systemd unit, where % is a specifier of systemd, not of ConfigParser."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as documented: keep the case of names
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_an_existing_program_with_options_that_it_has(path):
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


def test_the_page_on_deployment_has_exactly_the_units_in_deploy():
    page = (ROOT / "docs" / "deployment.md").read_text()
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    enabled = set(re.findall(r"orderly-[a-z-]+@?", page.replace(".timer", "")))
    assert enabled == units
    assert set(re.findall(r"orderly-worker@([a-z]+)", page)) == {*SERVICES, EXTERNAL}


def test_the_example_environment_sets_known_variables_and_all_without_a_safe_default():
    text = (ROOT / "deploy" / "orderly.env").read_text()
    names = re.findall(r'^([A-Z_]+)="[^"]*"$', text, re.MULTILINE)
    assert len(names) == len([line for line in text.splitlines() if line and not line.startswith("#")])
    assert set(names) <= set(environment_variables())
    assert {"SECRET_KEY", "DATABASE_URL", "BROKER_URL", "ALLOWED_HOSTS", "EMAIL_URL"} <= set(names)
