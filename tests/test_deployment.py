"""The systemd units and the example environment in deploy/ agree with the code and with docs/deployment.md."""

import os
import re
import shutil
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
from tests.services import need

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def unit(path: Path) -> ConfigParser:
    """Parse a systemd unit, where % is a specifier of systemd, not of ConfigParser."""
    parser = ConfigParser(interpolation=None, strict=False)
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


def settings_of(path: Path) -> list[str]:
    """The lines of a unit's service, as they are: SystemCallFilter is there twice."""
    return re.findall(
        r"^[A-Z]\w+=.*$", path.read_text().partition("[Service]")[2].partition("[Install]")[0], re.MULTILINE
    )


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_may_do_little_and_use_little(path):
    need(shutil.which("systemd-analyze"), what="systemd-analyze")
    analysed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", path],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", analysed.stdout)
    assert exposure, analysed.stderr
    assert float(exposure[1]) < 3, analysed.stdout


def test_systemd_understands_the_units(tmp_path):
    need(shutil.which("systemd-analyze"), what="systemd-analyze")
    for path in (ROOT / "deploy" / "systemd").iterdir():
        # This machine may have neither the user nor the programs.
        text = path.read_text().replace("User=orderly\n", "")
        (tmp_path / path.name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in verified.stderr.splitlines() if "orderly" in line]
    assert ours == []


def test_all_units_have_the_same_protection_and_bounds_of_their_own():
    protections = []
    for path in UNITS:
        lines = settings_of(path)
        protections.append(lines[lines.index("UMask=0077") :])
        assert {"MemoryHigh", "MemoryMax", "TasksMax"} <= {line.partition("=")[0] for line in lines}
    assert all(lines == protections[0] for lines in protections)
    assert {"StateDirectoryMode=0700", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"} <= {
        *protections[0]
    }


WITHOUT_NEW_CODE = """
import ctypes, mmap, sys
PR_SET_MDWE, REFUSE = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE, 0, 0, 0):
    sys.exit("not supported")
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except OSError:
    pass
else:
    sys.exit("memory may be written and executed")
import django
django.setup()
import msgspec, psycopg, uuid_utils
from django.contrib.auth.hashers import check_password, make_password
from django.test import Client
assert check_password("secret", make_password("secret"))
assert psycopg.pq.__impl__ == "binary" and uuid_utils.uuid7() and msgspec.json.encode({"a": 1})
assert Client().get("/admin/login/").status_code == 200
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux refuses memory that is written and executed")
def test_what_production_installs_works_without_memory_that_is_written_and_executed():
    environment = os.environ | {
        "DEBUG": "1",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "ALLOWED_HOSTS": "testserver",
    }
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_NEW_CODE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if "not supported" in run.stderr:
        pytest.skip("this kernel is older than 6.3")
    assert run.returncode == 0, run.stderr


def test_the_page_on_deployment_has_exactly_the_units_in_deploy():
    page = (ROOT / "docs" / "deployment.md").read_text()
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    enabled = set(re.findall(r"orderly-[a-z-]+@?", page.replace(".timer", "")))
    assert enabled == units
    assert set(re.findall(r"orderly-worker@([a-z]+)", page)) == {*SERVICES, EXTERNAL}


def test_the_example_environment_sets_known_variables_and_all_without_a_safe_default():
    text = (ROOT / "deploy" / "orderly.env").read_text()
    names = re.findall(r"^([A-Z_]+)='[^'\n]*'$", text, re.MULTILINE)
    assert len(names) == len([line for line in text.splitlines() if line and not line.startswith("#")])
    assert set(names) <= set(environment_variables())
    assert {"SECRET_KEY", "DATABASE_URL", "BROKER_URL", "ALLOWED_HOSTS", "EMAIL_URL"} <= set(names)


def test_a_shell_reads_the_example_environment_as_it_is_written(tmp_path):
    text = (ROOT / "deploy" / "orderly.env").read_text().replace("PASSWORD", r"$k9`\"\\%23")
    (tmp_path / "orderly.env").write_text(text)
    command = ["sh", "-c", f". {tmp_path}/orderly.env && printf '%s' \"$DATABASE_URL\""]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    (written,) = re.findall(r"^DATABASE_URL='(.*)'$", text, re.MULTILINE)
    assert read.stdout == written
