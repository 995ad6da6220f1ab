"""The environment variables, as a new process reads them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system import ROOT

pytestmark = pytest.mark.once


def read(expression: str, **environment: str) -> tuple[int, str, str]:
    """Print an expression of the settings in a new process; return its exit code, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; print({expression})"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("NUM_PROXIES", "one"),
        ("BROKER_URL", "sqs://queue"),
        ("DATABASE_URL", "mysql://127.0.0.1/orderly"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_that_names_the_variable(name, value):
    code, out, err = read("settings.PORT", **{name: value})
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith(f"django.core.exceptions.ImproperlyConfigured: {name} ")


def test_the_choices_of_make_run_are_read_from_the_data_directory_and_the_environment_takes_precedence(tmp_path):
    (tmp_path / "env").write_text("WELCOME_SKU=TEA\n")
    environment = {"DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'orderly.sqlite3'}"}
    unset = {name: value for name, value in os.environ.items() if name == "WELCOME_SKU"}
    assert not unset
    assert read("settings.WELCOME_SKU", **environment) == (0, "TEA", "")
    assert read("settings.WELCOME_SKU", **environment, WELCOME_SKU="CUP") == (0, "CUP", "")


def test_a_long_data_directory_has_its_socket_at_a_short_path_that_is_always_the_same(tmp_path):
    environment = {"DATA_DIR": str(tmp_path / ("long" * 30)), "DATABASE_URL": f"sqlite:///{tmp_path / 'o.sqlite3'}"}
    code, socket, _ = read("settings.BUNDLED_REDIS_SOCKET", **environment)
    assert code == 0
    assert len(os.fsencode(socket)) <= 100
    assert Path(socket).name == "redis.sock"
    assert read("settings.BUNDLED_REDIS_SOCKET", **environment) == (0, socket, "")
    short = {**environment, "DATA_DIR": "/srv/orderly"}
    assert read("settings.BUNDLED_REDIS_SOCKET", **short)[1] == "/srv/orderly/redis.sock"
