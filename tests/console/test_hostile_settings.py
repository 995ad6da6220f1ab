"""No value of a variable, however wrong, ends in a traceback or is shown."""

import json
import os
import subprocess
import sys
import traceback

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.addresses import check_broker, database_config
from project.cache_settings import throttle_cache
from project.environment import data_directory, env, existing_directory, welcome_sku
from project.mail_settings import email_config
from tests.console.reloaded_settings import CANARY
from tests.environment_variables import environment_variables
from tests.system import ROOT

pytestmark = pytest.mark.once

SERVERS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "EMAIL_URL")
READERS = dict(zip(SERVERS, (database_config, check_broker, throttle_cache, email_config), strict=True))
SCHEMES = {
    "DATABASE_URL": ("postgres", "postgresql"),
    "BROKER_URL": ("redis", "rediss", "amqp", "amqps"),
    "CACHE_URL": ("redis", "rediss"),
    "EMAIL_URL": ("smtp", "smtps", "smtp+tls", "smtp+ssl"),
}
#: What must be escaped in a password.
UNESCAPED = [
    *("/", "?", "#", "[", "]", "[x]", "\\", " ", "\t", "\n", "\r", "\x00", "\x7f", "\x85", "\u2028"),
    *("℀", "\uff0f", "\uff1a", "\uff20", "\udcff", "%", "%2", "%zz", "%ff", "%00", "%0a", "/@", "?@", "#@"),
]
WRONG = [
    *(f"orderly:{CANARY}{text}pw@h/1" for text in UNESCAPED),
    *(f"orderly:12{text}{CANARY}@h/1" for text in UNESCAPED),
    *(
        f"h:{CANARY}/1",
        f"h:0{CANARY}/1",
        "h:0/1",
        "h:65536/1",
        "h:-1/1",
        f"[::1/{CANARY}",
        f"[{CANARY}]/1",
        f"[::1]{CANARY}/1",
    ),
    *(f"h/1?{CANARY}=1", f"h/1?{CANARY}", f"h/1#{CANARY}", f"h/1?ssl_cert_reqs={CANARY}", f"h/1?port={CANARY}"),
    *(f"h/1?virtual_host={CANARY}&x=1", f"h/1?retry={CANARY}", f"h/1?heartbeat={CANARY}", f"h/1?sslmode={CANARY}"),
]


def refused(name: str, url: str) -> bool:
    """Whether a URL is refused, by an error that names the variable and not the value."""
    said, printed = "", ""
    try:
        READERS[name](url)
    except ImproperlyConfigured as error:
        said, printed = str(error), traceback.format_exc()
    assert not said or said.startswith(f"{name} must be"), url
    assert not said or "Percent-encode" in said, url
    assert CANARY.lower() not in printed.lower(), url
    return bool(said)


@pytest.mark.parametrize(("name", "scheme"), [(name, scheme) for name in SERVERS for scheme in SCHEMES[name]])
def test_a_url_that_no_parser_reads_as_it_is_meant_is_refused_without_its_value(name, scheme):
    assert [rest for rest in WRONG if not refused(name, f"{scheme}://{rest}")] == []


@pytest.mark.parametrize(
    ("name", "urls"),
    [
        ("DATABASE_URL", ["sqlite://S3CRET/x", "sqlite:///", "sqlite:///x?S3CRET=1", "postgres://h/", "postgres://h"]),
        ("DATABASE_URL", ["postgres://h/" + CANARY * 20, "psql://S3CRET/x", "S3CRET", "postgres:h/x", ""]),
        (
            "BROKER_URL",
            ["redis://h/S3CRET", "redis+socket://", "redis+socket:///x?S3CRET=1", "amqp://", "sqs://S3CRET"],
        ),
        (
            "BROKER_URL",
            ["redis://h/0;S3CRET", "amqp://h//;amqp://u:S3CRET/x@h//", "redis+socket:///x?virtual_host=S3CRET"],
        ),
        ("CACHE_URL", ["redis://h/S3CRET", "unix://", "redis+socket:///", "memcache://S3CRET"]),
        ("EMAIL_URL", ["S3CRET://x", "smtp://", "filemail://", "filemail://S3CRET/x", "smtp://h?S3CRET=1", "smtp"]),
    ],
)
def test_another_scheme_or_no_name_is_refused_without_its_value(name, urls):
    assert [url for url in urls if not refused(name, url)] == []


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (
            "DATABASE_URL",
            "postgres://orderly:S3%2FCR%3FE%23T%5B%5D%25%40@db.example.org:5432/orderly?sslmode=verify-full",
        ),
        ("DATABASE_URL", "postgres://orderly:$S3CRET'\"@one.example.org:5432,two.example.org:5433/orderly"),
        ("DATABASE_URL", "postgresql://orderly@/orderly?host=/run/postgresql&assume_role=owner"),
        ("DATABASE_URL", "postgres://orderly:pw@[2001:db8::1]:5432/orderly"),
        ("DATABASE_URL", "sqlite:////srv/a%20b/orderly.sqlite3"),
        ("BROKER_URL", "rediss://broker:pw@h:6379/0?ssl_cert_reqs=required&ssl_ca_certs=/ca.crt"),
        ("BROKER_URL", "amqps://shop:p%2Fw@one.example.org//;amqps://shop:p%2Fw@two.example.org:5671/vhost"),
        ("BROKER_URL", "redis+socket:///run/redis.sock?virtual_host=1"),
        ("EMAIL_URL", "smtp+tls://orderly@example.org:pw@mail.example.org:587"),
        ("EMAIL_URL", "consolemail://"),
    ],
)
def test_a_url_as_the_documentation_has_it_is_accepted(name, url):
    assert not refused(name, url)


def test_no_value_of_any_variable_is_shown_or_ends_in_a_traceback(tmp_path):
    names = environment_variables()
    own = {"DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "DEBUG": "0", "PYTHONWARNINGS": "error::UserWarning"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    run = [sys.executable, "-m", "tests.console.reloaded_settings", *names]
    done = subprocess.run(run, cwd=tmp_path, env=kept | own, capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    assert done.stderr == ""
    assert {name for name, _, error, _ in answers if error} == set(names)
    for name, value, error, printed in answers:
        if error:
            assert error.startswith(f"ImproperlyConfigured: {name} "), (value, printed)
            assert CANARY not in printed, (name, value)
            assert "9999999999" not in printed, (name, value)


GUNICORN = ("gunicorn", "--no-control-socket", "--bind", "127.0.0.1:0", "project.wsgi")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (("manage.py", "check"), 2),
        (("manage.py", "bus", "relay"), 2),
        (("-m", "celery", "-A", "project", "worker", "-Q", "orders"), 2),
        (("-m", "gunicorn", "--check-config", "project.wsgi"), 3),
        (("-m", *GUNICORN), 3),
    ],
    ids=["check", "relay", "celery", "gunicorn-check", "gunicorn"],
)
@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgres://orderly:S3CRET/pw@db/x"), ("BROKER_URL", "redis://:S3CRET@h/0?bogus=1")],
    ids=["database", "broker"],
)
def test_each_program_says_in_one_line_that_a_url_is_wrong(program, code, name, value):
    done = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]  # gunicorn's own
    assert (done.returncode, len(lines), done.stdout) == (code, 1, "")
    assert lines[0].startswith(f"{name} must begin with ")
    assert CANARY not in done.stderr


@pytest.mark.parametrize("name", ["DEBUG", "CONFIRM_EMAIL", "SECURE_COOKIES"])
def test_a_boolean_is_one_of_eight_words(monkeypatch, name):
    for text, value in [("on", True), ("TRUE", True), ("yes", True), ("1", True), ("Off", False), ("no", False)]:
        monkeypatch.setenv(name, text)
        assert env.bool(name, default=not value) is value
    for text in ("enabled", "nope", "y", "ok", "2", "", "-1", "$DEBUG", "on,off"):
        monkeypatch.setenv(name, text)
        with pytest.raises(ImproperlyConfigured, match=f"^{name} must be on or off"):
            env.bool(name, default=True)


@pytest.mark.parametrize("text", ["$k9", "$HOME", "${HOME}", "$", "$$", r"\$k9", '"quoted"', "'quoted'", "#x", "a b"])
def test_a_text_is_taken_as_it_is(monkeypatch, text):
    monkeypatch.setenv("TOKEN_KEY", text)
    assert env.str("TOKEN_KEY", default="") == text


def test_the_parts_of_a_list_may_have_blanks_around_them(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", " shop.example.org,  $x , ,127.0.0.1,")
    assert env.list("ALLOWED_HOSTS", default=[]) == ["shop.example.org", "$x", "127.0.0.1"]


def test_the_file_of_make_run_sets_the_welcome_product_alone(tmp_path):
    file = tmp_path / "env"
    assert welcome_sku(file) is None
    file.write_text("DEBUG=1\nWELCOME_SKU=TEA\nSECRET_KEY=x\n")
    assert welcome_sku(file) == "TEA"
    file.write_text("DEBUG=1\n")
    assert welcome_sku(file) is None


@pytest.mark.parametrize(
    "kind", ["link", "dangling link", "pipe", "directory", "group", "everybody", "another", "bytes"]
)
def test_a_file_of_make_run_that_another_may_have_written_is_refused(tmp_path, monkeypatch, kind):
    file, target = tmp_path / "env", tmp_path / "target"
    if "link" in kind:
        file.symlink_to(target)
        if kind == "link":
            target.write_text("WELCOME_SKU=TEA\n")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    else:
        file.write_bytes(b"WELCOME_SKU=\xff\n" if kind == "bytes" else b"WELCOME_SKU=TEA\n")
        file.chmod({"group": 0o660, "everybody": 0o606}.get(kind, 0o600))
    if kind == "another":
        us = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: us)
    with pytest.raises(
        ImproperlyConfigured, match=r"^DATA_DIR has a file env .* look at what is in it, then remove it"
    ):
        welcome_sku(file)


def test_a_directory_that_cannot_be_used_is_refused_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for directory in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR names a directory that cannot be made: "):
            existing_directory("DATA_DIR", directory)
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR cannot be used: Not a directory"):
        welcome_sku(tmp_path / "file" / "env")
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR cannot be used: it is a link to itself"):
        data_directory(str(tmp_path / "loop"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR names a directory that this user cannot write to"):
        existing_directory("DATA_DIR", tmp_path)
