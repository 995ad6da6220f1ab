"""gunicorn's worker with threads, in which a connection takes a thread only while its request is handled.

gunicorn's own waits in a thread while a client sends its request and while it takes the answer, for as long as the
client likes, and in its loop for up to two seconds until a client has closed. A few slow clients stop it. This one does
all three waits in its loop, without blocking, each with an end.
"""

import re
import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from mmap import ACCESS_READ, mmap
from typing import Any, BinaryIO

from django.conf import settings
from gunicorn.workers.gthread import TConn, ThreadWorker

#: How long a client may take to send the request line and the headers, and the whole request.
HEAD_S, REQUEST_S = 10.0, 30.0
#: How long a client may take for an answer after it is made, and how long it may take to close.
ANSWER_S, CLOSING_S = 30.0, 2.0
#: Bytes. gunicorn itself refuses any line of the head that is longer than 8 KiB.
LONGEST_HEAD = 128 * 1024
PIECE = 64 * 1024

END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Incoming:
    """A request that arrives in pieces."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.began = time.monotonic()
        #: Bytes of the body that are still to come; None before the end of the head.
        self.missing: int | None = None
        #: Whether the body is longer than the application takes, or of unknown length: it is refused unread.
        self.refused = False
        self.wants_continue = False

    @property
    def deadline(self) -> float:
        return self.began + (HEAD_S if self.missing is None else REQUEST_S)

    def feed(self, data: bytes) -> None:
        """Add a piece."""
        searched = len(self.received)
        self.received += data
        if self.missing is not None:
            self.missing = max(self.missing - len(data), 0)
        elif (end := self.received.find(END_OF_HEAD, max(searched - 3, 0))) >= 0:
            self._read_head(self.received[: end + 2], body=len(self.received) - end - len(END_OF_HEAD))

    def _read_head(self, head: bytearray, *, body: int) -> None:
        declared = CONTENT_LENGTH.search(head)
        length = int(declared[1]) if declared else 0
        self.refused = length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE or bool(CHUNKED.search(head))
        self.missing = 0 if self.refused else max(length - body, 0)
        self.wants_continue = bool(self.missing and EXPECTS.search(head))


class Outgoing:
    """A client's socket for the thread that answers: what the client does not take at once waits for the loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.waiting: deque[memoryview] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes | memoryview) -> None:
        self.waiting.append(memoryview(data))
        self.flush()

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int = 0) -> int:
        """Send a part of a file, which is not copied: a thousand clients that wait for it share the kernel's pages."""
        if count:
            self.sendall(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))[offset : offset + count])
        return count

    def flush(self) -> None:
        """Send what the client takes without waiting for it.

        Raises:
            OSError: the client is gone.
        """
        with suppress(BlockingIOError):
            while self.waiting:
                piece = self.waiting[0]
                rest = piece[self._sock.send(piece, socket.MSG_DONTWAIT) :]
                if rest:
                    self.waiting[0] = rest
                else:
                    self.waiting.popleft()


class WholeRequestWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Reads requests in the loop that accepts connections, and hands whole ones to the threads."""

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for a request on a new connection, or for the next on one that is kept."""
        if not conn.initialized:
            conn.init()
            conn.sock = Outgoing(conn.sock)
        conn.incoming = Incoming()
        self._wait(conn, self._read)
        # What a client sent right behind its last request.
        self._take(conn, conn.parser.unreader.take_buffered())

    def _wait(self, conn: TConn, callback: Any, *, event: int = selectors.EVENT_READ) -> None:
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, event, partial(callback, conn))
        self.pending_conns.append(conn)

    def _forget(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _close(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _read(self, conn: TConn, client: Any) -> None:
        try:
            data = client.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:  # the client is gone
            data = b""
        if data:
            self._take(conn, data)
        else:
            self._close(conn)

    def _take(self, conn: TConn, data: bytes) -> None:
        incoming = conn.incoming
        incoming.feed(data)
        conn.timeout = incoming.deadline
        if incoming.missing == 0:
            self._forget(conn)
            conn.parser.unreader.unread(bytes(incoming.received))
            conn.data_ready = True
            super().enqueue_req(conn)
        elif incoming.missing is None and len(incoming.received) > LONGEST_HEAD:
            with suppress(OSError):
                conn.sock.send(TOO_LARGE)
            self._close(conn)
        elif incoming.wants_continue:
            incoming.wants_continue = False
            with suppress(OSError):
                conn.sock.send(CONTINUE)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Close after a body that was refused unread, which gunicorn would read first."""
        return not conn.incoming.refused and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Wait until the client has taken the answer."""
        if conn.sock.waiting:
            conn.timeout = time.monotonic() + ANSWER_S
            self._wait(conn, partial(self._send, fs), event=selectors.EVENT_WRITE)
        else:
            self._finish(conn, fs)

    def _send(self, fs: Any, conn: TConn, _client: Any) -> None:
        try:
            conn.sock.flush()
        except OSError:  # the client is gone
            self._close(conn)
            return
        if not conn.sock.waiting:
            self._forget(conn)
            self._finish(conn, fs)

    def _finish(self, conn: TConn, fs: Any) -> None:
        """Keep the connection, or say that nothing more comes and wait for the client to close."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        with suppress(OSError):  # the client is gone, and the wait ends at once
            conn.sock.shutdown(socket.SHUT_WR)
        conn.timeout = time.monotonic() + CLOSING_S
        self._wait(conn, self._drain)

    def _drain(self, conn: TConn, client: Any) -> None:
        try:
            ended = not client.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._close(conn)

    def murder_pending(self) -> None:
        """Close the connections whose time is over, and when stopping those without a request."""
        now = time.monotonic()
        for conn in list(self.pending_conns):
            if conn.timeout < now or not (self.alive or conn.incoming.received):
                self._close(conn)
