"""A mail server that remembers what it took, and can hang, refuse, or take a mail and never answer."""

import asyncio
import select
import socket
import threading
from collections import Counter
from email import message_from_bytes

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.system import free_port

MODES = ("answer", "refuse", "hang", "mute")


class MailServer:
    """Listens on one port of the loopback address for as long as it lives, whatever its mode."""

    def __init__(self) -> None:
        self.port = free_port()
        #: How often each Message-ID was taken, with its recipient and subject, whether or not that was acknowledged.
        self.taken: Counter[tuple[str, str, str]] = Counter()
        #: Of these, those that it took while it was mute.
        self.unanswered: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._mode = "refuse"
        self._controller: Controller | None = None
        self._silent: socket.socket | None = None
        self.become("answer")

    def become(self, mode: str) -> None:
        """Answer; refuse connections; hang, which is to accept them and say nothing; or be mute once it has a mail."""
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
        self._stop()
        self._mode = mode
        if mode == "hang":
            self._silent = socket.create_server(("127.0.0.1", self.port))
        elif mode != "refuse":
            self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
            self._controller.start()

    def connected(self) -> bool:
        """While it hangs: whether somebody is connected."""
        assert self._silent is not None, "it does not hang"
        return bool(select.select([self._silent], [], [], 0)[0])

    def total(self) -> int:
        """How many mails it has taken, repeats and all."""
        with self._lock:
            return sum(self.taken.values())

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = envelope.content
        mail = message_from_bytes(content if isinstance(content, bytes) else (content or "").encode())
        with self._lock:
            name = str(mail["Message-ID"]), str(mail["To"]), str(mail["Subject"])
            self.taken[name] += 1
            if self._mode == "mute":
                self.unanswered[name] += 1
        if self._mode == "mute":
            await asyncio.sleep(3600)
        return "250 taken"

    def close(self) -> None:
        """End."""
        self._stop()

    def _stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
        if self._silent is not None:
            self._silent.close()
            self._silent = None
