"""Processes without DEBUG: what they serve, and on which settings they do not start."""

import re
import sys

import httpx
import pytest

from project.settings import DEFAULT_SECRET_KEY
from tests.system import System


def test_without_debug_the_styles_of_a_page_are_served_and_its_cookies_travel_over_https_only(system: System) -> None:
    system.environment |= {"DEBUG": "0", "SECRET_KEY": "a key of this test and of nobody else, long enough for it"}
    address = system.web()
    page = httpx.get(f"{address}/admin/login/")
    styles = re.findall(r'<link href="([^"]+\.css)"', page.text)
    assert styles
    assert {style: httpx.get(f"{address}{style}").status_code for style in styles} == dict.fromkeys(styles, 200)
    cookies = page.headers.get_list("set-cookie")
    assert cookies
    assert [cookie for cookie in cookies if "Secure" not in cookie.split("; ")] == []


def ended(system: System, *command: str, **environment: str) -> tuple[int, str]:
    """How a process without DEBUG ends, and what it says; one that does not end is a failure."""
    process = system.start("refused", sys.executable, "-m", *command, **{"DEBUG": "0", **environment})
    return process.wait(timeout=60), system.log("refused").read_text()


@pytest.mark.parametrize("application", ["project.wsgi", "project.asgi"])
def test_a_web_server_does_not_start_with_the_key_that_everybody_knows(system: System, application: str) -> None:
    code, said = ended(system, "gunicorn", "--check-config", application, SECRET_KEY=DEFAULT_SECRET_KEY)
    assert code != 0
    assert "SECRET_KEY is the default, which everybody knows" in said


def test_a_worker_does_not_start_with_the_password_of_rabbitmqs_guest(system: System) -> None:
    code, said = ended(
        system,
        *("celery", "-A", "project", "worker", "-Q", "orders"),
        BROKER_URL="amqp://guest:guest@127.0.0.1:1//",
        SECRET_KEY="a key of this test and of nobody else, long enough for it",
    )
    assert code != 0
    assert "BROKER_URL uses RabbitMQ's guest password" in said
