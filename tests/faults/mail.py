"""A mail server that records what it accepted, and can refuse, hang, or accept a mail and never answer."""

import asyncio
import select
import socket
import threading
from collections import Counter
from email import message_from_bytes
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.system import free_port

#: Seconds that open connections have to close.
CLOSE_TIMEOUT_S = 5
MODES = ("answer", "refuse", "hang", "mute")


class ClosingController(Controller):
    """Closes its connections when it stops. aiosmtpd leaves them open, which asyncio warns about later."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections: list[SMTP] = []

    def factory(self) -> SMTP:
        connection = super().factory()
        self._connections.append(connection)
        return connection

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._close_connections(), self.loop).result(timeout=CLOSE_TIMEOUT_S)
        super().stop(no_assert)

    async def _close_connections(self) -> None:
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()
        await asyncio.sleep(0)  # asyncio closes them in its next turn


class MailServer:
    """Listens on one port of the loopback address, in any of its modes."""

    def __init__(self) -> None:
        self.port = free_port()
        #: How often each mail was accepted, by Message-ID, recipient and subject, with or without an answer.
        self.accepted: Counter[tuple[str, str, str]] = Counter()
        #: Of these, the mails that were accepted without an answer.
        self.unanswered: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._mode = "refuse"
        self._controller: ClosingController | None = None
        self._silent: socket.socket | None = None
        self.set_mode("answer")

    def set_mode(self, mode: str) -> None:
        """Set the mode: answer, refuse connections, hang (accept connections and say nothing), or mute after a mail."""
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} must be one of {', '.join(MODES)}")
        self._stop()
        self._mode = mode
        if mode == "hang":
            self._silent = socket.create_server(("127.0.0.1", self.port))
        elif mode != "refuse":
            self._controller = ClosingController(self, hostname="127.0.0.1", port=self.port)
            self._controller.start()

    def has_client(self) -> bool:
        """While it hangs: whether a client is connected."""
        assert self._silent is not None, "the server does not hang"
        return bool(select.select([self._silent], [], [], 0)[0])

    def accepted_count(self) -> int:
        """How many mails it has accepted, repetitions included."""
        with self._lock:
            return sum(self.accepted.values())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = envelope.content
        mail = message_from_bytes(content if isinstance(content, bytes) else (content or "").encode())
        with self._lock:
            name = str(mail["Message-ID"]), str(mail["To"]), str(mail["Subject"])
            self.accepted[name] += 1
            if self._mode == "mute":
                self.unanswered[name] += 1
        if self._mode == "mute":
            await asyncio.sleep(3600)
        return "250 taken"

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
        if self._silent is not None:
            self._silent.close()
            self._silent = None
