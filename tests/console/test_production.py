"""Processes without DEBUG: what they serve, and the unsafe settings with which they do not start."""

import re
import sys

import httpx
import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from project.settings import DEFAULT_SECRET_KEY
from tests.system import System, eventually


def test_without_debug_static_files_are_served_and_cookies_are_secure(system: System) -> None:
    system.environment |= {"DEBUG": "0", "SECRET_KEY": "a key that only this test uses, and that is long enough"}
    address = system.web()
    page = httpx.get(f"{address}/admin/login/")
    styles = re.findall(r'<link href="([^"]+\.css)"', page.text)
    assert styles
    assert {style: httpx.get(f"{address}{style}").status_code for style in styles} == dict.fromkeys(styles, 200)
    cookies = page.headers.get_list("set-cookie")
    assert cookies
    assert [cookie for cookie in cookies if "Secure" not in cookie.split("; ")] == []


def run_without_debug(system: System, *command: str, **environment: str) -> tuple[int, str]:
    """Run a command without DEBUG, within 60 seconds; return its exit code and what it printed."""
    process = system.start("refused", sys.executable, "-m", *command, **{"DEBUG": "0", **environment})
    return process.wait(timeout=60), system.log("refused").read_text()


@pytest.mark.parametrize("application", ["project.wsgi", "project.asgi"])
def test_a_web_server_does_not_start_with_the_default_secret_key(system: System, application: str) -> None:
    code, said = run_without_debug(system, "gunicorn", "--check-config", application, SECRET_KEY=DEFAULT_SECRET_KEY)
    assert code != 0
    assert "SECRET_KEY is the default, which everybody knows" in said


def test_a_worker_that_is_started_by_hand_stops_as_softly_as_one_of_ours(system: System) -> None:
    system.redis()
    del system.environment["REMAP_SIGTERM"]
    words = ("-m", "celery", "-A", "project", "worker", "-Q", "orders")
    worker = psutil.Process(system.start("orders", sys.executable, *words).pid)
    eventually(lambda: worker.environ().get("REMAP_SIGTERM") == "SIGQUIT", within=60, what="it executes itself again")


def test_a_worker_does_not_start_with_the_guest_password_of_rabbitmq(system: System) -> None:
    code, said = run_without_debug(
        system,
        *("celery", "-A", "project", "worker", "-Q", "orders"),
        BROKER_URL="amqp://guest:guest@127.0.0.1:1//",
        SECRET_KEY="a key that only this test uses, and that is long enough",
    )
    assert code != 0
    assert "BROKER_URL uses RabbitMQ's guest password" in said


def test_system_checks_of_deployments_name_unsafe_settings_and_their_remedies(settings) -> None:
    settings.DEBUG, settings.SECRET_KEY = False, DEFAULT_SECRET_KEY
    settings.BROKER_URL = "amqp://10.0.0.7//"
    call_command("check")
    with pytest.raises(SystemCheckError) as refusal:
        call_command("check", "--deploy", "--tag", "production")
    for part in ("orderly.E001", "50 random characters", "orderly.E002", "Create a user in RabbitMQ", "DEBUG=1"):
        assert part in str(refusal.value)
    settings.DEBUG = True
    call_command("check", "--deploy", "--tag", "production")
