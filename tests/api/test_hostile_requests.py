"""Malformed and oversized requests are refused: a problem document under /api/, a page elsewhere, never a 500."""

import logging
import re
import socket
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from project.refusals import RefusalHandler
from tests.api.clients import assert_problem, client_of, new_user
from tests.api.test_permissions import ROWS

MANY = "&".join(f"p{number}=1" for number in range(1001))
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FILES = b"".join(
    b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\n\r\n' % number for number in range(101)
)

BASE64 = '--x\r\nContent-Disposition: form-data; name="f"\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff!\r\n--x--'

#: The parts of a request that differ from a plain GET.
REQUESTS: dict[str, dict[str, str | bytes]] = {
    "1,001 parameters": {"QUERY_STRING": MANY},
    "1,001 parameters without values": {"QUERY_STRING": re.sub("=1", "", MANY)},
    "1,001 times one parameter": {"QUERY_STRING": "&".join(["page_size=1"] * 1001)},
    "invalid percent-encoding": {"QUERY_STRING": "a=%zz&q=%f&cursor=%"},
    "NUL bytes": {"QUERY_STRING": "q=%00&cursor=%00&status=%00&page_size=%00&o=%00&%00=1"},
    "invalid UTF-8": {"QUERY_STRING": "q=%ff%fe&cursor=%ff&status=%ff&sku=%ff&%ff=1"},
    "surrogates": {"QUERY_STRING": "q=%ed%a0%80&cursor=%ed%a0%80&sku=%ed%a0%80"},
    "huge numbers": {"QUERY_STRING": f"page_size={9:0>5000}&p={'9' * 400}&page={'9' * 400}"},
    "numbers in another script": {"QUERY_STRING": "page_size=%d9%a1&page=%d9%a1&p=%d9%a1"},
    "an unknown host": {"HTTP_HOST": "evil.example"},
    "an invalid host": {"HTTP_HOST": "a b<c>"},
    "a host with a bad port": {"HTTP_HOST": "localhost:99999999999"},
    "invalid cookies": {"HTTP_COOKIE": 'sessionid=%00\x00\xff; csrftoken=\xff; messages=\xff;;;=,"'},
    "an invalid Accept": {"HTTP_ACCEPT": "\x00/\xff;q=z, ;;;"},
    "an invalid language": {"HTTP_ACCEPT_LANGUAGE": "x-" * 3000},
    "an invalid date": {"HTTP_IF_MODIFIED_SINCE": "9" * 100, "HTTP_IF_NONE_MATCH": '"\x00'},
    "invalid addresses": {"HTTP_X_FORWARDED_FOR": "\x00,,,", "REMOTE_ADDR": ""},
    "an invalid length": {"CONTENT_LENGTH": "1e9"},
    "a negative length": {"CONTENT_LENGTH": "-1"},
    "an invalid token": {"HTTP_AUTHORIZATION": "Bearer \x00.\xff.="},
    "Basic with garbage": {"HTTP_AUTHORIZATION": "Basic \xff"},
    "a form with 1,001 fields": {"method": "POST", "data": MANY, "content_type": FORM},
    "a form of 1,000,001 bytes": {"method": "POST", "data": "a=" + "x" * 999_999, "content_type": FORM},
    "multipart without boundary": {"method": "POST", "data": "x", "content_type": "multipart/form-data"},
    "broken multipart": {"method": "POST", "data": "--x\r\nContent-", "content_type": MULTIPART},
    "multipart in invalid base64": {
        "method": "POST",
        "data": BASE64,
        "content_type": MULTIPART,
    },
    "101 files": {"method": "POST", "data": FILES + b"--x--", "content_type": MULTIPART},
    "an unknown charset": {"method": "POST", "data": "a=1", "content_type": f"{FORM}; charset=nonsense"},
    "TRACE": {"method": "TRACE"},
    "CONNECT": {"method": "CONNECT"},
    "OPTIONS": {"method": "OPTIONS"},
    "an unknown method": {"method": "FROBNICATE"},
}
ROUTES = [
    "/",
    "/healthz",
    "/readyz",
    "/nothing/",
    "/static/nothing.css",
    "/static/%00",
    "/admin/",
    "/admin/login/",
    "/admin/jsi18n/",
    "/admin/users/user/",
    "/admin/orders/order/",
    "/admin/orders/order/%00/change/",
    f"/admin/bus/delivery/{'9' * 30}/change/",
    "/api/",
    "/api/schema/",
    "/api/docs/",
    "/api/v1/nothing/",
    f"/api/v1/deliveries/{'9' * 30}/",
    "/api/v1/orders/%00/",
    "/api/v1/products/%ff/",
    *sorted({route for _, route in ROWS if route.startswith("/api/v1/") and "{" not in route}),
]
#: Refused wherever they are sent.
ALWAYS_400 = {
    name for name in REQUESTS if name.startswith(("1,001", "an unknown host", "an invalid host")) or "length" in name
}


def clients():
    user = new_user(is_staff=True, is_superuser=True)
    logged_in = Client(raise_request_exception=False)
    logged_in.force_login(user)
    return [client_of(), client_of(user), logged_in]


@pytest.fixture
def errors(caplog):
    """The log lines above WARNING, through the handler of the settings."""
    security = logging.getLogger("django.security")
    assert any(isinstance(handler, RefusalHandler) for handler in security.handlers)
    assert not security.propagate
    return lambda: [
        record
        for record in caplog.records
        # The handler has these alone, and logs them as it should.
        if not record.name.startswith("django.security") and record.levelno > logging.WARNING
    ]


@pytest.mark.parametrize("route", ROUTES)
def test_a_hostile_request_is_refused_or_answered(db, settings, errors, route):
    settings.UNSAFE_CALLS_PER_MINUTE = 10**9
    settings.ALLOWED_HOSTS = ["testserver", "localhost"]
    for client, (name, parts) in product(clients(), REQUESTS.items()):
        request: dict[str, Any] = {"method": "GET", "content_type": "", **parts}
        response = client.generic(path=route, **request)
        assert response.status_code < 500, name
        if name in ALWAYS_400:
            assert response.status_code == 400, name
        if response.status_code >= 400 and route.startswith("/api/"):
            assert_problem(response, response.status_code, *{e["field"] for e in response.json().get("errors", ())})
        elif response.status_code >= 400 and request["method"] == "GET" and not route.endswith("z"):
            assert response["Content-Type"].startswith("text/html"), name
        assert not errors(), name


def test_the_refusals_say_what_to_change(db):
    many = assert_problem(client_of().get(f"/api/v1/products/?{MANY}"), 400)
    assert "more than 1000 parameters" in many["detail"]
    page = client_of().get(f"/?{MANY}")
    assert (page.status_code, page["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "The request is not valid." in page.content.decode()


@pytest.mark.parametrize(
    "route", ["/api/v1/products/", "/api/v1/orders/", "/api/nothing/", "/api/schema/", "/api/docs/"]
)
def test_a_url_of_more_than_4096_bytes_is_a_414_that_says_so(db, route):
    rest = 4096 - len(f"{route}?q=")
    assert client_of().get(f"{route}?q={'x' * rest}").status_code != 414
    problem = assert_problem(client_of().get(f"{route}?q={'x' * (rest + 1)}"), 414)
    assert "4096 bytes" in problem["detail"]
    assert_problem(client_of().post(f"{route}{'x' * 5000}/"), 414)


@pytest.mark.parametrize("route", ["/api/v1/products/", "/api/v1/orders/", "/api/schema/"])
def test_options_tells_nothing_and_is_not_listed(db, route):
    response = client_of(new_user(is_staff=True, is_superuser=True)).options(route)
    assert "OPTIONS" not in assert_problem(response, 405)["detail"].partition("Use one of")[2]
    assert "OPTIONS" not in response["Allow"]
    assert "GET" in response["Allow"]


@pytest.mark.urls("tests.api.routes")
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("SuspiciousOperation", 400),
        ("TooManyFieldsSent", 400),
        ("TooManyFilesSent", 400),
        ("DisallowedRedirect", 400),
        ("SuspiciousFileOperation", 400),
        ("BadRequest", 400),
        ("MultiPartParserError", 400),
        ("UnreadablePostError", 400),
        ("RequestDataTooBig", 413),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_what_django_refuses_within_a_view_is_no_server_error(settings, errors, kind, status, debug):
    settings.DEBUG = debug
    assert "secret" not in str(assert_problem(client_of().get(f"/api/v1/refuse/{kind}/"), status))
    assert not errors()


def test_a_refusal_is_one_line_of_the_log_without_control_characters(caplog):
    record = logging.LogRecord(
        "django.security.DisallowedHost", logging.ERROR, "", 0, "bad\n\x1b%s", ("x" * 999,), None
    )
    RefusalHandler().emit(record)
    (line,) = [entry.getMessage() for entry in caplog.records]
    assert line.startswith("refused a request (DisallowedHost): ")
    assert line.isprintable()
    assert len(line) < 300
    assert caplog.records[0].levelname == "WARNING"


def exchange(address: str, request: bytes) -> bytes:
    """Send bytes to a web server; its answer."""
    host = urlsplit(address)
    received = b""
    with closing(socket.create_connection((host.hostname, host.port), timeout=20)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65536):
            received += more
    return received


#: Request lines and headers that no client of a library would send, and the status of each.
RAW = {
    b"GET /api/v1/products/?q=" + b"x" * 5000: 414,
    b"GET /api/v1/products/?q=" + b"x" * 9000: 414,
    b"GET /?q=" + b"x" * 9000: 414,
    b"GET /api/v1/products/?" + MANY.encode(): 400,
    b"GET /?" + MANY.encode(): 400,
    b"GET /admin/login/?" + MANY.encode(): 400,
    b"GET /api/v1/\x00": 400,
    b"GET /api/v1/\xff\xfe?\xff": 400,
    b"GET /api/v1/products/%zz/?a=%f": 404,
    b"GET /api/v1/products/%00/": 400,
    b"GET api/v1/products/": 400,
    b"get /api/v1/products/": 400,
    b"TRACE /api/v1/products/": 401,
    b"TRACE /api/schema/": 405,
    b"CONNECT 127.0.0.1:80": 404,
    b"FROBNICATE /api/v1/products/": 401,
    b"OPTIONS *": 404,
}
RAW_HEADERS = {
    b"Content-Length: x": 400,
    b"Content-Length: -1": 400,
    b"SCRIPT_NAME: /x": 200,
    b"PATH_INFO: /x": 200,
    b"Cookie: \x01\xff": 400,
    b"Cookie: sessionid=\xff; csrftoken=\xff": 200,
    b"X: " + b"x" * 10_000: 431,
    b"\r\n".join(b"X-%d: 1" % number for number in range(150)): 431,
    b"Host: evil.example": 400,
    b"Transfer-Encoding: chunked\r\nContent-Length: 3": 400,
}


def test_the_real_web_server_refuses_what_no_library_sends(system):
    address = system.web()
    requests = [
        (line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", status) for line, status in RAW.items()
    ]
    head = b"GET /api/v1/products/ HTTP/1.1\r\nConnection: close\r\n"
    requests += [
        (head + (b"" if header.startswith(b"Host") else b"Host: 127.0.0.1\r\n") + header + b"\r\n\r\n", status)
        for header, status in RAW_HEADERS.items()
    ]
    answers = [(exchange(address, request), request[:60], status) for request, status in requests]
    assert [(int(answer.split()[1]), start) for answer, start, _ in answers] == [
        (status, start) for _, start, status in answers
    ]
    over_4096 = answers[0][0]
    assert b"application/problem+json" in over_4096
    assert b"4096 bytes" in over_4096
    log = Path(system.log("web")).read_text()
    assert "Traceback" not in log
    assert not re.search(r"\b(ERROR|CRITICAL)\b", log)


def test_a_client_that_closes_in_mid_body_causes_no_server_error(system):
    address = system.web()
    head = b"POST /api/v1/users/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: 100\r\n\r\n"
    assert exchange(address, head + b"{") == b"", "the server read half a request"
    assert "Traceback" not in Path(system.log("web")).read_text()
