"""Processes without DEBUG: what they serve, and the unsafe settings with which they do not start."""

import re
import secrets
import sys

import httpx
import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from project import checks
from project.settings import DEFAULT_SECRET_KEY
from tests.system import System, eventually


def test_without_debug_static_files_are_served_and_cookies_are_secure(system: System) -> None:
    system.environment |= {"DEBUG": "0", "SECRET_KEY": "a-key-that-only-this-test-uses-and-that-is-long-enough"}
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
        SECRET_KEY="a-key-that-only-this-test-uses-and-that-is-long-enough",
    )
    assert code != 0
    assert "BROKER_URL uses RabbitMQ's guest password" in said


def test_system_checks_of_deployments_name_unsafe_settings_and_their_remedies(settings) -> None:
    settings.DEBUG, settings.SECRET_KEY = False, DEFAULT_SECRET_KEY
    settings.BROKER_URL = "amqp://10.0.0.7//"
    call_command("check")
    with pytest.raises(SystemCheckError) as refusal:
        call_command("check", "--deploy", "--tag", "production")
    for part in ("orderly.E001", "50 random characters", "orderly.E002", "Create a user there", "DEBUG=1"):
        assert part in str(refusal.value)
    settings.DEBUG = True
    call_command("check", "--deploy", "--tag", "production")


GOOD = secrets.token_urlsafe(50)
WEAK = {
    "the-default": DEFAULT_SECRET_KEY,
    "Djangos-example": "django-insecure-" + GOOD,
    "the-default-and-more": DEFAULT_SECRET_KEY + "1",
    "more-and-the-default": f"{GOOD}{DEFAULT_SECRET_KEY}",
    "the-alphabet": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "the-alphabet-backwards-with-dashes": "-".join("zyxwvutsrqponmlkjihgfedcba9876543210"),
    "rows-of-a-keyboard": "qwertyuiopasdfghjklzxcvbnm1234567890QWERTYUIOPASDFGHJKL",
    "columns-of-a-keyboard": "1qaz2wsx3edc4rfv5tgb6yhn7ujm!QAZ@WSX#EDC$RFV%TGB^YHN",
    "each-letter-twice": "aabbccddeeffgghhiijjkkllmmnnooppqqrrssttuuvvwwxxyyzz",
    "an-example": "REPLACE_ME_WITH_50_RANDOM_CHARACTERS_BEFORE_YOU_USE_IT",
    "another-example": "change-me-please-this-is-from-the-page-about-deployment",
    "the-command-of-the-hint": "python3 -c 'import secrets; print(secrets.token_urlsafe(50))' >>/etc/orderly.env",
    "blanks": "correct horse battery staple and many another word beside",
    "one-character-less-than-is-needed": GOOD[:49],
    "one-character": "x" * 60,
    "nine-characters": "".join(secrets.choice("abcdefghi") for _ in range(80)),
    "a-word-again-and-again": "secret-of-my-shop " * 5,
    "the-digits-again-and-again": "0123456789" * 6,
    "a-pattern-with-a-rest": ("correct horse battery " * 4)[:-5],
    "a-random-pattern-twenty-times": secrets.token_urlsafe(12) * 20,
    "a-pattern-with-a-number": "".join(f"password-{number}-" for number in range(9)),
}


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "TOKEN_KEY", "TOKEN_KEY_FALLBACKS"])
@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_secret_is_refused_without_its_value(settings, name: str, kind: str) -> None:
    strong(settings)
    secret = WEAK[kind]
    setattr(settings, name, [secrets.token_hex(40), secret] if name.endswith("FALLBACKS") else secret)
    (error,) = checks.production_errors()
    assert f"{name} " in error
    assert "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'" in error
    assert secret not in error


def test_random_characters_are_strong() -> None:
    strong_ones = [make(50) for make in (secrets.token_urlsafe, secrets.token_hex) for _ in range(500)]
    assert [secret for secret in strong_ones if checks.weakness(secret)] == []


def strong(settings) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.TOKEN_KEY = False, GOOD, secrets.token_hex(25)
    settings.SECRET_KEY_FALLBACKS, settings.TOKEN_KEY_FALLBACKS = [secrets.token_urlsafe(50)], [secrets.token_hex(200)]
    settings.BROKER_URL, settings.CACHE_URL = "redis+socket:///run/redis.sock", "locmemcache://"


def test_random_secrets_are_accepted_and_one_key_cannot_serve_twice(settings) -> None:
    strong(settings)
    assert checks.production_errors() == []
    settings.TOKEN_KEY = GOOD
    (error,) = checks.production_errors()
    assert "TOKEN_KEY is the same as SECRET_KEY" in error


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.1.2.3", True),
        ("https://localhost", True),
        ("http://LOCALHOST:80", True),
        ("http://[::1]:8000", True),
        ("https://shop.example.org", False),
        ("http://10.0.0.7:8000", False),
    ],
)
def test_links_to_this_machine_are_a_warning_with_which_servers_start(settings, url: str, local: bool) -> None:
    strong(settings)
    settings.CONFIRM_EMAIL, settings.SITE_URL = True, url
    assert [warning.id for warning in checks.check_links()] == ["orderly.W001"] * local
    assert checks.production_errors() == []
    settings.CONFIRM_EMAIL = False
    assert checks.check_links() == []
    settings.CONFIRM_EMAIL, settings.DEBUG = True, True
    assert checks.check_links() == []


@pytest.mark.parametrize("name", ["BROKER_URL", "CACHE_URL"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://10.0.0.7/0", "no password"),
        ("rediss://user@cache.example.org/0", "no password"),
        ("rediss://user:@cache.example.org/0", "no password"),
        ("redis://:short@cache.example.org/0", "12 characters"),
        ("redis://:%41%41%41%41@cache.example.org/0", "12 characters"),
        ("redis://:guest@[2001:db8::1]:6379/0", "12 characters"),
        ("redis://:long-enough-password@cache.example.org/0", None),
        ("redis://127.evil.com/0", "no password"),
        ("redis://127.0.0.1.evil.com/0", "no password"),
        ("redis://localhost.evil.com/0", "no password"),
        ("redis://127.0.0.1:6379/0", None),
        ("redis://127.8.9.10:6379/0", None),
        ("redis://localhost/0", None),
        ("redis://[::1]:6379/0", None),
        ("redis+socket:///run/redis.sock", None),
    ],
    ids=map(str, range(15)),
)
def test_the_password_of_a_server_on_another_machine_must_be_long(settings, name, url, reason) -> None:
    strong(settings)
    setattr(settings, name, url)
    errors = checks.production_errors()
    assert len(errors) == bool(reason)
    assert not errors or (f"{name} " in errors[0] and reason in errors[0] and "short" not in errors[0])


def test_each_of_several_brokers_needs_a_password(settings) -> None:
    strong(settings)
    settings.BROKER_URL = "amqp://shop:long-enough-password@one.example.org//;amqp://guest:guest@two.example.org//"
    (error,) = checks.production_errors()
    assert "guest password" in error
