"""The e-mails that users get."""

import logging
from functools import partial
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Never
from uuid import UUID, uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import transaction

from project.bus import publish
from project.bus.models import Delivery, Failure, Receipt
from project.events import OrderCancelled, OrderConfirmed, OrderRejected
from tests.api.clients import new_user
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


def test_new_user_gets_a_welcome_email(drain, mailoutbox):
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


def test_address_that_the_mail_server_refuses_is_not_logged_or_stored(ann, drain, caplog, monkeypatch):
    def refuse(message: EmailMessage) -> Never:
        raise SMTPRecipientsRefused({message.to[0]: (550, f"{message.to[0]} unknown".encode())})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    caplog.set_level(logging.DEBUG)
    publish_events(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    failures = Failure.objects.all()  # more than one, if the first retry was due at once
    assert failures
    for failure in failures:
        assert "550" in failure.error
        assert str(ann.pk) in failure.error
        assert ann.email not in failure.error + failure.traceback
    assert ann.email not in caplog.text
    assert Delivery.objects.filter(handler="users.email_confirmation", dead_at=None).exists(), "the delivery is retried"


def test_address_that_the_mail_server_repeats_in_its_answer_is_not_stored(ann, drain, monkeypatch):
    def refuse(message: EmailMessage) -> Never:
        raise SMTPDataError(554, f"<{message.to[0]}> rejected".encode())

    monkeypatch.setattr(EmailMessage, "send", refuse)
    publish_events(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    failure = Failure.objects.latest("id")
    assert "SMTP 554" in failure.error
    assert ann.email not in failure.error + failure.traceback


def test_user_created_carries_only_the_id(published):
    user = new_user()
    (event,) = published()
    assert event.data_fields == ("user_id",)
    assert isinstance(event.user_id, UUID)
    assert event.user_id == user.pk
