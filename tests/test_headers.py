"""The headers of every kind of answer, and the settings of HTTPS."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError
from django.test import Client

from project import header_settings
from project.api import timeouts
from tests.api.clients import client_of, new_user

ROOT = Path(django_settings.BASE_DIR)
STATIC = "/static/unfold/css/styles.css"

pytestmark = pytest.mark.django_db


def test_every_answer_has_the_headers_that_restrict_browsers(admin_client):
    answers = [
        *(admin_client.get(path) for path in ("/", "/admin/", "/admin/orders/order/", "/admin/orders/order/7/change/")),
        *(
            Client().get(path)
            for path in ("/admin/", "/admin/login/", "/admin/logout/", STATIC, "/nothing", "/healthz")
        ),
        *(Client().get(path) for path in ("/api/v1/products/", "/api/v1/orders/", "/api/docs/", "/api/schema/")),
        *(Client().get(path) for path in ("/api/", "/api/v1/products/?cursor=x", "/admin/?q=%00", "/readyz")),
        *(Client().get(path, headers={"host": "evil"}) for path in ("/admin/", "/api/v1/products/")),
        Client().post("/api/v1/users/", data=b"x" * 1_000_001, content_type="application/json"),
        Client().post("/admin/login/", data=b"x" * 1_000_001, content_type="multipart/form-data; boundary=x"),
        Client(enforce_csrf_checks=True).post("/admin/login/"),
    ]
    for answer in answers:
        where = answer.request["PATH_INFO"]
        assert answer["X-Content-Type-Options"] == "nosniff", where
        assert answer["Referrer-Policy"] == "same-origin", where
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin", where
        assert answer["X-Frame-Options"] == "DENY", where
        assert {"camera=()", "payment=()"} <= set(answer["Permissions-Policy"].split(", ")), where
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy, where
        assert "frame-ancestors 'none'" in policy, where
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0], where
        assert ("no-store" in answer["Cache-Control"]) == (where != STATIC), where
        if where.startswith("/api/"):
            assert answer["Cache-Control"] == "no-store", where
            assert "Authorization" in answer["Vary"], where
        answer.close()


def test_no_page_names_a_feature_that_browsers_do_not_know():
    """Chromium warns of it on every page."""
    features = {part.partition("=")[0].strip() for part in Client().get("/healthz")["Permissions-Policy"].split(",")}
    assert "camera" in features
    assert "bluetooth" not in features


@pytest.mark.parametrize(
    "request_",
    [{"QUERY_STRING": "&".join("a=1" for _ in range(1001))}, {"CONTENT_LENGTH": "x"}, {"QUERY_STRING": "a=%00"}],
)
@pytest.mark.parametrize("path", ["/admin/", "/", "/nothing"])
def test_a_refused_request_has_the_policy(path, request_):
    answer = Client().get(path, **request_)
    assert answer.status_code == 400
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"CONTENT_LENGTH": "1000001"}, 413, "more than 1000000 bytes"),
        ({"CONTENT_LENGTH": str(10**12)}, 413, "more than 1000000 bytes"),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}, 411, "Content-Length"),
    ],
)
def test_a_body_that_is_refused_is_a_page_outside_the_api(headers, status, said):
    for path in ("/admin/login/", "/", "/users/confirm/x/", "/apix/"):
        answer = Client().generic("POST", path, b"", **headers)
        assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8"), path
        assert said in answer.content.decode()
        assert "default-src 'none'" in answer["Content-Security-Policy"]
    answer = Client().generic("POST", "/api/v1/users/", b"", **headers)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_a_log_in_to_the_admin_ends_after_twelve_hours(admin_user):
    client = Client()
    client.force_login(admin_user)
    assert client.session.get_expiry_age() == 12 * 60 * 60


def test_a_refusal_of_the_api_keeps_the_headers_of_https():
    answer = Client().get("/api/v1/products/", secure=True, headers={"host": "evil"})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.get("Content-Length", str(len(answer.content))) == str(len(answer.content))


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {
        "PATH": "/usr/bin",
        "SECRET_KEY": "K7h_wRz0v4XbQ9sLm2NcTjYpGdFa8EuBiOq1Zx5JrVtHkWn6a1B2",
        "SITE_URL": "https://shop.example.org",
        # Django 6.1 checks that mails are sent.
        "EMAIL_URL": "smtp+tls://orderly:PASSWORD@mail.example.org:587",
    }
    return subprocess.run(
        [sys.executable, *script.split()],
        cwd=ROOT,
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("environment", [{}, {"NUM_PROXIES": "1"}, {"NUM_PROXIES": "1", "HSTS_SUBDOMAINS": "1"}])
def test_the_checks_of_a_deployment_find_nothing(environment):
    checked = run("manage.py check --deploy --fail-level WARNING", **environment)
    assert checked.returncode == 0, checked.stderr


def test_the_checks_of_a_deployment_name_cookies_without_https():
    checked = run("manage.py check --deploy --fail-level WARNING", SECURE_COOKIES="0")
    assert checked.returncode != 0
    assert "security.W012" in checked.stderr


def test_the_checks_of_a_deployment_warn_of_links_to_this_machine():
    checked = run("manage.py check --deploy", SITE_URL="http://127.0.0.1:8000")
    assert checked.returncode == 0, "it is a warning"
    assert "orderly.W001" in checked.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("HSTS_SECONDS", "-1"), ("WEB_STATEMENT_TIMEOUT", "0"), ("WEB_STATEMENT_TIMEOUT", "-3")]
)
def test_a_negative_time_is_refused_by_the_name_of_its_variable(variable, value):
    checked = run("manage.py check", **{variable: value})
    assert checked.returncode != 0
    assert f"{variable} must be" in checked.stderr


def shown(**environment: str) -> str:
    program = (
        "import django.conf, project.settings; s = django.conf.settings; "
        "print(s.SECURE_SSL_REDIRECT, bool(s.SECURE_PROXY_SSL_HEADER), s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_HTTPONLY)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "DJANGO_SETTINGS_MODULE": "project.settings"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_https_is_asked_for_where_a_proxy_speaks_it():
    assert shown() == "False False __Host-sessionid True"
    assert shown(NUM_PROXIES="1") == "True True __Host-sessionid True"
    assert shown(NUM_PROXIES="1", SECURE_COOKIES="0") == "False True sessionid True"
    assert shown(NUM_PROXIES="1", DEBUG="1") == "False True sessionid True"


def test_health_checks_are_not_redirected(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = header_settings.SECURE_REDIRECT_EXEMPT
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/admin/?x=1").headers["Location"] == "https://testserver/admin/?x=1"
    answer = Client().get("/api/v1/products/", headers={"host": "evil"})
    assert answer["Content-Type"] == "application/problem+json"


class Cancelled(Exception):
    sqlstate = "57014"


class Busy(Exception):
    sqlite_errorname = "SQLITE_BUSY"


class Gone(Exception):
    sqlstate = "57P01"


@pytest.mark.parametrize(("cause", "status"), [(Cancelled(), 503), (Busy(), 503), (Gone(), 500)])
def test_a_time_out_of_the_database_is_a_503_and_any_other_error_a_500(admin_user, monkeypatch, cause, status):
    def fail(*_args, **_kwargs):
        raise OperationalError("canceling statement due to statement timeout") from cause

    monkeypatch.setattr("orders.views.OrdersView.get", fail, raising=False)
    monkeypatch.setattr("orders.admin.OrderAdmin.get_queryset", fail)
    for client, path in ((client_of(new_user()), "/api/v1/orders/"), (Client(), "/admin/orders/order/")):
        client.raise_request_exception = False
        if path.startswith("/admin/"):
            client.force_login(admin_user)
        answer = client.get(path)
        assert answer.status_code == status, path
        assert answer.get("Retry-After") == (str(timeouts.RETRY_AFTER_S) if status == 503 else None)
        assert "canceling statement" not in answer.content.decode()
