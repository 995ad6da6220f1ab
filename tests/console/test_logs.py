"""Whatever comes from outside is escaped in the log of every process."""

import logging
import os
import re
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from project.bus.text import escaped
from project.logs import EscapingFormatter
from tests.hostile_text import FORGED, HOSTILE, assert_harmless
from tests.system import ROOT, System, eventually

pytestmark = pytest.mark.once

each_hostile = pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: ")


def formatted(message: str, *args: object, name: str = "bus", exc_info=None, sinfo: str | None = None) -> str:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, exc_info, sinfo=sinfo)
    return EscapingFormatter().format(record)


@each_hostile
def test_a_record_is_one_printable_line(hostile):
    for line in (
        formatted(f"a {hostile}{FORGED}"),
        formatted("a %s", f"{hostile}{FORGED}"),
        formatted("a", name=hostile),
    ):
        assert_harmless(line, allowed="")
    assert RECORD.match(formatted(hostile))


@each_hostile
def test_the_lines_of_a_traceback_are_indented_and_printable(hostile):
    def fail() -> None:
        error = ValueError(f"a text\n{hostile}{FORGED}\n{FORGED}")
        error.add_note(f"a note\n{hostile}{FORGED}")
        raise error from KeyError(f"{hostile}{FORGED}")

    try:
        fail()
    except ValueError:
        lines = formatted("failed", exc_info=sys.exc_info(), sinfo=f"Stack\n{hostile}{FORGED}")
    assert_harmless(lines)
    first, *others = lines.split("\n")
    assert RECORD.match(first)
    assert [line for line in others if not line.startswith("    ")] == []
    assert "    Traceback (most recent call last):" in others
    assert any(line.endswith("ValueError: a text") for line in others)
    assert any(line.startswith("    Stack") for line in others)


def test_the_traceback_that_another_formatter_left_is_not_used():
    record = logging.makeLogRecord({"msg": "failed", "exc_text": f"x\n{FORGED}", "exc_info": None})
    assert EscapingFormatter().format(record).endswith(": failed")
    assert record.exc_text


def test_plain_text_stays_as_it_is():
    for plain in ("Kaffee für Zoë, 12 €", "コーヒー", "naïve ☕ 👍🏽", 'a "quoted" \\ path'):
        assert escaped(plain) == plain


def send(address: str, *requests: bytes) -> None:
    """Send bytes as they are, each over a connection of its own, and read what comes back."""
    host, port = str(urlsplit(address).hostname), urlsplit(address).port
    for request in requests:
        with socket.create_connection((host, port), timeout=20) as client:
            client.sendall(request)
            while client.recv(65536):
                pass


def request(target: bytes, *, method: bytes = b"GET", header: bytes = b"X-Nothing: 1") -> bytes:
    return b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\nConnection: close\r\n\r\n" % (method, target, header)


@pytest.mark.parametrize("application", ["project.wsgi", "project.asgi"])
def test_no_request_forges_a_line_of_the_web_servers_log_or_reaches_the_terminal(system: System, application: str):
    worker = ["--worker-class", "asgi"] if application == "project.asgi" else []
    address = system.web(application, *worker)
    forged = FORGED.replace(" ", "%20").encode()
    percent = [
        b"%0a",
        b"%0d",
        b"%0d%0a",
        b"%1b[2J",
        b"%00",
        b"%7f",
        b"%c2%9b31m",
        b"%c2%85",
        b"%e2%80%ae",
        b"%e2%81%a6",
    ]
    percent += [b"%e2%80%a8", b"%e2%80%a9", b"%ed%b2%80", b"%ff", b"%9b"]
    send(
        address,
        *(request(b"/api/v1/orders/" + hostile + forged) for hostile in percent),
        *(request(b"/api/v1/products/?page=" + hostile + forged) for hostile in percent),
        *(request(b"/" + raw) for raw in (b"\x1b[2J", b"\x9b", b"\xe2\x80\xae", b"\x7f", b"\x00")),
        *(request(b"/", method=method) for method in (b"GE\x1bT", b"G%0aT", b"g\x9bt", b"\x1b[2J")),
        *(
            request(b"/", header=header)
            for header in (b"User-Agent: \x1b[2J", b"Host: \x1b[2J", b"X\x1b: 1", b"Cookie: a\x9b")
        ),
        request(b"/last"),
    )
    log = system.log("web")
    eventually(lambda: "/last" in log.read_text(errors="replace"), within=20, what="the last request")
    shown = log.read_text(errors="surrogateescape")
    assert r"/api/v1/orders/\x1b[2J2026" in shown
    assert_harmless(shown)
    assert [line for line in shown.splitlines() if not (RECORD.match(line) or line.startswith("    "))] == []


def test_no_message_forges_a_line_of_a_workers_log_or_reaches_the_terminal(system: System):
    broker = system.redis()
    system.worker("orders")
    for hostile in HOSTILE.values():
        text = f"{hostile}{FORGED}".encode(errors="surrogatepass")
        headers = b'{"task": "%s", "id": "%s"}' % (text, text)
        broker.lpush("orders", text, b'{"headers": %s, "body": "%s"}' % (headers, text))
    log = system.log("orders")
    eventually(
        lambda: "messages on the queue orders were refused" in log.read_text(), within=30, what="it refuses them"
    )
    eventually(lambda: broker.llen("orders") == 0, within=30, what="it takes all of them")
    assert_harmless(log.read_text(errors="surrogateescape"))


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DEBUG": "1", "HOSTILE": FORGED, "PYTHONIOENCODING": "utf-8:surrogatepass"},
        capture_output=True,
        check=False,
    )
    return (done.stdout + done.stderr).decode(errors="surrogateescape")


@pytest.mark.parametrize(
    "logger", ["", "celery", "celery.task", "celery.worker", "multiprocessing", "celery.redirected"]
)
def test_each_logger_of_celery_escapes(logger):
    shown = run_python(
        "import logging, os; from project import celery_app; celery_app.log.setup('INFO');"
        f"logging.getLogger({logger!r}).error('first\\n%s \\x1b[2J', os.environ['HOSTILE'])"
    )
    assert "first" in shown
    assert_harmless(shown)


@pytest.mark.parametrize("thread", [False, True])
def test_an_uncaught_exception_is_printed_escaped_with_its_text_last(thread):
    fail = "def fail(): raise ValueError('first\\n' + os.environ['HOSTILE'] + '\\x1b[2J')\n"
    call = "threading.Thread(target=fail).start()" if thread else "fail()"
    shown = run_python(f"import os, threading, project\n{fail}{call}")
    assert_harmless(shown)
    *trace, last = shown.splitlines()
    assert last.startswith("ValueError: first\\n2026")
    assert [line for line in trace if not line.startswith("    ")] == []
    assert any("Traceback" in line for line in trace)


def test_a_thread_that_exits_prints_nothing():
    assert run_python("import sys, threading, project; threading.Thread(target=sys.exit, args=('bye',)).start()") == ""


def test_the_error_of_a_setting_with_control_characters_is_escaped():
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"PORT": f"1\n{FORGED}\x1b[2J\x9b\u202e"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert_harmless(done.stderr.decode())
