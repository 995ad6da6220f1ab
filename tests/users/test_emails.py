"""The e-mails that users get."""

import logging
from functools import partial
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused
from typing import Never
from uuid import UUID, uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import transaction

from project.bus import publish
from project.bus.models import Delivery, Failure, Receipt, Subscription
from project.events import OrderCancelled, OrderConfirmed, OrderRejected
from tests.api.clients import as_id, new_user
from users.models import User

pytestmark = pytest.mark.django_db


def publish_events(*events) -> None:
    with transaction.atomic():
        publish(*events)


@pytest.fixture
def ann(drain, mailoutbox) -> User:
    """A user who already has the welcome e-mail."""
    user = new_user()
    drain()
    mailoutbox.clear()
    return user


def test_new_user_with_a_confirmed_address_gets_a_welcome_email(drain, mailoutbox):
    user = new_user()
    drain()
    (mail,) = mailoutbox
    assert mail.to == [user.email]
    assert "Ann" in mail.body


ORDER = uuid4()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (partial(OrderConfirmed), "confirmed"),
        (partial(OrderRejected, reason="TEA-1 is short."), "TEA-1 is short."),
        (partial(OrderCancelled, reason="Changed my mind."), "Changed my mind."),
    ],
)
def test_each_outcome_of_an_order_sends_one_email(ann, outcome, words, drain, mailoutbox):
    publish_events(outcome(order_id=ORDER, customer_id=ann.pk))
    drain()
    (mail,) = mailoutbox
    assert mail.to == [ann.email]
    assert str(ORDER) in mail.body
    assert words in mail.body


def test_message_id_is_derived_from_the_delivery(ann, settings, drain, mailoutbox):
    settings.DEFAULT_FROM_EMAIL = "Orderly <shop@shop.example>"
    event = OrderConfirmed(order_id=ORDER, customer_id=ann.pk)
    publish_events(event)
    drain()
    receipt = Receipt.objects.get(event_id=event.id, handler="users.email_confirmation")
    (mail,) = mailoutbox
    assert mail.message()["Message-ID"] == f"<{receipt.event_id}-{receipt.delivery_id}@shop.example>"


def test_deleted_user_gets_no_email(drain, mailoutbox):
    publish_events(OrderConfirmed(order_id=ORDER, customer_id=uuid4()))
    drain()
    assert mailoutbox == []
    assert not Delivery.objects.exists()


@pytest.fixture
def failure_of(ann, drain, monkeypatch):
    """Try once to send a mail to Ann, which fails for this cause; return the failure."""

    def failure_of(cause: Exception) -> Failure:
        def fail(message: EmailMessage) -> Never:
            raise cause

        monkeypatch.setattr(EmailMessage, "send", fail)
        monkeypatch.setattr("project.bus.worker.settlement.backoff_seconds", lambda attempts: 600.0)
        publish_events(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
        drain()
        return Failure.objects.get()

    return failure_of


def counted_failures() -> int:
    return Subscription.objects.get(handler="users.email_confirmation").failures


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (550, "PermanentError"),
        (553, "PermanentError"),
        (450, "TransientError"),
        (452, "TransientError"),
        (421, "MailRefused"),
        (503, "MailRefused"),
        (530, "MailRefused"),
    ],
)
def test_refused_address_is_not_stored_and_counts_only_against_the_server(code, error, ann, failure_of, caplog):
    caplog.set_level(logging.DEBUG)
    failure = failure_of(SMTPRecipientsRefused({ann.email: (code, f"{ann.email} refused".encode())}))
    assert failure.error.startswith(f"{error}: ")
    assert f"SMTP {code}" in failure.error
    assert str(ann.pk) in failure.error
    assert ann.email not in failure.error + failure.traceback + caplog.text
    delivery = Delivery.objects.get(handler="users.email_confirmation")
    assert (delivery.dead_at is not None) == (error == "PermanentError")
    assert counted_failures() == (error == "MailRefused")


@pytest.mark.parametrize(
    ("cause", "error", "failures"),
    [
        (UnicodeEncodeError("ascii", "ann\udc80@example.org", 3, 4, "no"), "PermanentError", 0),
        (SMTPNotSupportedError("the server does not advertise the required SMTPUTF8 capability"), "PermanentError", 0),
        (SMTPNotSupportedError("SMTP AUTH extension not supported by server."), "SMTPNotSupportedError", 1),
        (ConnectionRefusedError(), "ConnectionRefusedError", 1),
    ],
)
def test_mail_that_cannot_be_written_is_the_fault_of_its_address(cause, error, failures, failure_of):
    failure = failure_of(cause)
    assert failure.error.startswith(f"{error}: ")
    assert "example.org" not in failure.error + failure.traceback
    assert counted_failures() == failures


def test_address_that_the_mail_server_repeats_in_its_answer_is_not_stored(ann, drain, monkeypatch):
    def refuse(message: EmailMessage) -> Never:
        raise SMTPDataError(554, f"<{message.to[0]}> rejected".encode())

    monkeypatch.setattr(EmailMessage, "send", refuse)
    publish_events(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    failure = Failure.objects.latest("id")
    assert "SMTP 554" in failure.error
    assert ann.email not in failure.error + failure.traceback


@pytest.mark.parametrize(
    "name",
    ["Dear customer, you won: https://evil.example", "Ann\r\nBcc: bob@example.org", "evil.example", "\u202eAnn"],
    ids=as_id,
)
def test_stored_name_that_could_not_be_given_today_is_left_out(name, ann, drain, mailoutbox):
    User.objects.filter(pk=ann.pk).update(name=name)
    publish_events(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    (mail,) = mailoutbox
    assert mail.body.startswith("Hello,\n")
    assert name not in str(mail.message())


def test_user_created_carries_no_address_and_no_name(published):
    user = new_user()
    (event,) = published()
    assert event.data_fields == ("user_id", "confirmed")
    assert isinstance(event.user_id, UUID)
    assert event.user_id == user.pk
