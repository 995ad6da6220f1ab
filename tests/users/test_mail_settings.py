"""The settings of mails and of confirmation, from the environment."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PRINT = "from project import settings as s; print(s.SITE_URL, s.CONFIRM_EMAIL, s.MAX_MAILS_PER_DAY)"


def run(tmp_path, **environment: str) -> subprocess.CompletedProcess[str]:
    unset = {"SITE_URL", "CONFIRM_EMAIL", "MAX_MAILS_PER_DAY", "DEBUG", "PORT"}
    clean = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, "-c", PRINT],
        env=clean | {"DATA_DIR": str(tmp_path)} | environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "printed"),
    [
        ({}, "http://127.0.0.1:8000 True 50"),
        ({"DEBUG": "1", "PORT": "8001"}, "http://127.0.0.1:8001 False 50"),
        ({"DEBUG": "1", "CONFIRM_EMAIL": "1", "MAX_MAILS_PER_DAY": "7"}, "http://127.0.0.1:8000 True 7"),
        ({"SITE_URL": "https://shop.example.org/", "CONFIRM_EMAIL": "0"}, "https://shop.example.org False 50"),
    ],
)
def test_addresses_are_confirmed_except_with_debug(environment, printed, tmp_path):
    done = run(tmp_path, **environment)
    assert done.stdout.strip() == printed, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITE_URL", "orders.example.net"),
        ("SITE_URL", "ftp://shop.example.org"),
        ("SITE_URL", "https://shop.example.org/path"),
        ("SITE_URL", "https://ann@shop.example.org"),
        ("SITE_URL", "https://shop.example.org\nBcc: x"),
        ("MAX_MAILS_PER_DAY", "0"),
        ("MAX_MAILS_PER_DAY_UNCONFIRMED", "-3"),
    ],
)
def test_unusable_setting_is_refused_by_name_and_without_its_value(name, value, tmp_path):
    done = run(tmp_path, **{name: value})
    assert done.returncode != 0
    error = done.stderr.splitlines()[-1]
    assert f"ImproperlyConfigured: {name} must be" in error
    assert value not in error
