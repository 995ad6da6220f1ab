"""Addresses from before they were checked stop nobody else's mail, on a real mail server."""

import uuid
from collections.abc import Iterator

import django
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import transaction

from project.bus import publish
from project.bus.models import Delivery, Failure, Subscription
from project.bus.registry import handlers
from project.bus.worker.consumer import answer_bell
from project.events import ConfirmationRequested, UserCreated
from tests.bus.helpers import make_due
from tests.faults.mail import MailServer
from users.models import User

pytestmark = pytest.mark.django_db

HOSTILE = [
    '"a\x01b"@example.org',
    '"a\\\x7fb"@example.org',
    '"a\rBcc: x@example.org\nb"@example.org',
    "änn@example.org",
    "ann@exa mple.org",
    "ann@" + "x" * 240,
    '"@"@[127.0.0.1]',
    "a,b@example.org",
    "canary@refused.example.org",
    "canary@full.example.org",
    "canary@greylisted.example.org",
]


class PickyMailServer(MailServer):
    """Refuses some recipients as a real one does, with the address in its answer."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "refused." in address:
            return f"550 5.1.1 <{address}> unknown"
        if "full." in address:
            return f"452 4.2.2 <{address}> mailbox full"
        if "greylisted." in address:
            return f"450 4.7.1 <{address}> greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def server(settings) -> Iterator[MailServer]:
    server = PickyMailServer()
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION < (6, 1):
        settings.EMAIL_BACKEND = smtp
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    else:
        settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": {"host": "127.0.0.1", "port": server.port}}}
    yield server
    server.close()


def store(email: str) -> User:
    """An account whose address is stored without a check, as by bulk or SQL."""
    (user,) = User.objects.bulk_create([User(email=f"{uuid.uuid4()}@example.org", password="!")])
    User.objects.filter(pk=user.pk).update(email=email.lower()[:254])
    return user


@pytest.mark.parametrize("handler", ["users.email_welcome", "users.email_address_check"])
def test_many_hostile_addresses_open_no_circuit_and_the_next_user_gets_mail(handler, server, caplog):
    event_type = {"users.email_welcome": UserCreated, "users.email_address_check": ConfirmationRequested}[handler]
    users = [store(email) for email in HOSTILE]
    users.append(store("eighth@example.org"))
    with transaction.atomic():
        publish(*(event_type(user_id=user.pk) for user in users))
    for _ in range(20):
        make_due()
        answer_bell(handlers[handler])
    subscription = Subscription.objects.get(handler=handler)
    assert (subscription.failures, subscription.open_until) == (0, None)
    assert [recipient for _, recipient, _ in server.accepted] == ["eighth@example.org"]
    dead = Delivery.objects.filter(handler=handler)
    assert dead.filter(dead_at__isnull=False, attempts=1).count() == len(HOSTILE) - 2
    assert dead.filter(dead_at__isnull=False, attempts=8).count() == 2, "what may pass is tried to the end"
    assert dead.count() == len(HOSTILE)
    # aiosmtpd logs what it is told.
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    written = ours + "".join(f"{failure.error} {failure.traceback}" for failure in Failure.objects.all())
    for text in ("canary", "example.org", "127.0.0.1]"):
        assert text not in written
