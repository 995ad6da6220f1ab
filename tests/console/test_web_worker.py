"""The web server with clients that are slow, silent or never close: other clients are answered meanwhile."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from project.console.harness.web_worker import ANSWER_S, HEAD_S, REQUEST_S, Incoming
from tests.system import System, eventually

pytestmark = pytest.mark.once

POST = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
#: What each slow client sends before it falls silent.
BEGINNINGS = {
    "nothing": b"",
    "a part of the request line": b"GET /hea",
    "a part of the headers": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "a part of the body": POST + b"Content-Length: 900000\r\n\r\n{",
    "a body that is too long": POST + b"Content-Length: 90000000\r\n\r\n{",
    "a body of unknown length": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n",
    "a request, and does not close": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    "a request and a part of the next": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /",
}


@pytest.fixture
def address(system: System) -> str:
    return system.web()


@pytest.fixture
def connect(address: str) -> Iterator:
    """Make connections to the web server, which end with the test."""
    with ExitStack() as stack:
        place = urlsplit(address)

        def connect(*, receive: int = 0) -> socket.socket:
            client = stack.enter_context(socket.socket())
            if receive:  # bytes that the kernel takes for it
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            client.settimeout(60)
            client.connect((place.hostname, place.port))
            return client

        yield connect


def answer(client: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def test_fifty_clients_of_each_slow_kind_keep_nobody_from_an_answer(address, connect):
    for beginning in BEGINNINGS.values():
        for _ in range(50):
            connect().sendall(beginning)
    for _ in range(5):
        # Less than any of the kinds takes from gunicorn's own worker.
        assert httpx.get(f"{address}/healthz", timeout=25).status_code == 200


STATIC = b"GET /static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHANGE = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("requests", [STATIC * 8, STATIC * 8 + CHANGE, CHANGE * 2000], ids=["files", "both", "answers"])
def test_fifty_clients_that_take_their_answers_slowly_keep_nobody_from_one(address, connect, requests):
    clients = [connect(receive=4096) for _ in range(50)]
    for client in clients:
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.send(requests)
    for _ in range(5):
        assert httpx.get(f"{address}/healthz", timeout=25).status_code == 200
        for client in clients:  # a byte now and then
            with suppress(BlockingIOError):
                client.recv(1000)


def test_a_client_that_takes_an_answer_too_slowly_is_given_up(address, connect):
    client = connect(receive=4096)
    client.sendall(STATIC * 8)
    for _ in range(int(ANSWER_S) + 4):
        client.recv(1000)
        time.sleep(1)
    with suppress(ConnectionResetError):
        assert answer(client).count(b"HTTP/1.1 200") < 7, "only what the kernel has taken comes"


def test_whole_files_and_their_parts_arrive(address, connect):
    whole = httpx.get(address + STATIC.split()[1].decode(), headers={"Accept-Encoding": "identity"}).content
    assert len(whole) > 1_000_000
    client = connect(receive=4096)
    client.sendall(STATIC + STATIC.replace(b"\r\n\r\n", b"\r\nRange: bytes=9-99\r\nConnection: close\r\n\r\n"))
    received = answer(client)
    assert received.count(whole) == 1
    assert received.endswith(b"\r\n\r\n" + whole[9:100])


def test_each_slow_client_is_refused_in_the_end_or_answered(address, connect):
    silent, head, request = connect(), connect(), connect()
    head.sendall(BEGINNINGS["a part of the headers"])
    request.sendall(BEGINNINGS["a request and a part of the next"])
    assert answer(silent) == b""
    assert answer(head) == b""
    assert answer(request).count(b"HTTP/1.1 200 OK") == 1


def test_a_body_that_is_refused_is_not_waited_for(address, connect):
    for beginning, status in (("a body that is too long", b"413"), ("a body of unknown length", b"411")):
        client = connect()
        client.sendall(BEGINNINGS[beginning])
        assert answer(client).startswith(b"HTTP/1.1 " + status)
    client = connect()
    client.sendall(b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert answer(client).startswith(b"HTTP/1.1 411")


def test_a_head_without_an_end_is_refused(address, connect):
    client = connect()
    client.sendall(b"GET /healthz HTTP/1.1\r\n" + b"X-Long: 1\r\n" * 14_000)
    assert answer(client).startswith(b"HTTP/1.1 431")


def test_requests_in_pieces_and_behind_one_another_are_answered(address, connect):
    client = connect()
    for byte in POST + b"Content-Length: 2\r\n\r\n{}":
        client.sendall(bytes([byte]))
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    received = answer(client)
    assert received.startswith(b"HTTP/1.1 400")
    assert received.count(b"HTTP/1.1 200") == 3


def test_a_client_that_expects_100_continue_gets_it(address, connect):
    client = connect()
    client.sendall(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
    assert client.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.sendall(b"{}")
    assert b"HTTP/1.1 400" in answer(client)


def test_the_server_stops_while_clients_wait(system, address, connect):
    for beginning in (b"", b"GET /", BEGINNINGS["a request, and does not close"]):
        connect().sendall(beginning)
    process = system.processes["web"]
    process.terminate()
    eventually(lambda: process.poll() is not None, within=20, what="the server stops")


def test_a_request_is_complete_when_its_body_is():
    incoming = Incoming()
    assert incoming.deadline == incoming.began + HEAD_S
    incoming.feed(POST + b"content-LENGTH: 3\r\n\r")
    assert not incoming.missing
    incoming.feed(b"\na")
    assert (incoming.missing, incoming.deadline) == (2, incoming.began + REQUEST_S)
    incoming.feed(b"bcd")
    assert incoming.missing == 0
    assert bytes(incoming.received).endswith(b"\r\n\r\nabcd")
