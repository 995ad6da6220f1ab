"""A mail server that accepts every mail at once and only counts."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from project.console.harness.process import LOOPBACK, free_port


class MailSink:
    """Counts mails."""

    def __init__(self) -> None:
        self.port = free_port()
        self.accepted = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Accept a mail."""
        self.accepted += 1
        return "250 accepted"


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """A mail server that ends with the block."""
    sink = MailSink()
    controller = Controller(sink, hostname=LOOPBACK, port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
